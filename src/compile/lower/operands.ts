import { fromNumbers, readNumbers } from '../../graph/data.js';
import type { Node, TensorData } from '../../graph/graph.js';
import { type Operand, type PlanBuilder, unsupported } from '../builder.js';
import type { FusedNode } from '../fuse.js';

/** The constant behind an input. @throws EspalierError ERR_ESPALIER_UNSUPPORTED, saying `otherwise`, when it is not one. */
export function constantInput(
  builder: PlanBuilder,
  node: Node,
  index: number,
  otherwise: string,
): TensorData {
  const data = builder.graph.constants.get(node.inputs[index] ?? '');
  if (data === undefined) throw unsupported(node, otherwise);
  return data;
}

/** The numbers of an optional constant input. */
export function numbersInput(builder: PlanBuilder, node: Node, index: number): number[] | undefined {
  if ((node.inputs[index] ?? '') === '') return undefined;
  return readNumbers(constantInput(builder, node, index, `input ${index} computed at run time`));
}

/** Scale, bias and residual of a product, as its native operator takes them behind its first inputs. */
export function epilogueOperands(
  fused: FusedNode,
  builder: PlanBuilder,
  outputDims: readonly number[],
): { operands: Operand[]; ints: Record<string, number> } {
  const bias = fused.bias ?? fused.node.inputs[2] ?? '';
  const residual = fused.residual ?? '';
  const operands: Operand[] = [];
  if (fused.scale !== undefined) operands.push(builder.operand(scaleValue(fused.scale, builder, outputDims)));
  if (bias !== '') operands.push(builder.operand(bias));
  if (residual !== '') operands.push(builder.operand(residual, outputDims));
  const ints = {
    has_scale: fused.scale === undefined ? 0 : 1,
    has_bias: bias === '' ? 0 : 1,
    has_residual: residual === '' ? 0 : 1,
  };
  return { operands, ints };
}

/** The value [outputs] of a scale. */
function scaleValue(scale: string | number, builder: PlanBuilder, outputDims: readonly number[]): string {
  if (typeof scale === 'string') return scale;
  const outputs = outputDims.at(-1) ?? 1;
  return builder.constant(fromNumbers('float32', [outputs], new Array<number>(outputs).fill(scale)));
}

/** Dims before, at and after `axis`, multiplied together: [outer, axis, inner]. */
export function splitDims(
  dims: readonly number[],
  axis: number,
): [outer: number, size: number, inner: number] {
  const product = (part: readonly number[]) => part.reduce((total, dim) => total * dim, 1);
  return [product(dims.slice(0, axis)), dims[axis] ?? 1, product(dims.slice(axis + 1))];
}

/** Counts a negative axis from the end. */
export function frontAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
