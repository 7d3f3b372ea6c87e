import { floatAttribute, intAttribute } from '../../graph/attributes.js';
import type { Layer } from '../../graph/layers.js';
import { broadcastDims, broadcastStrides } from '../../graph/operators/strided.js';
import { elementCount } from '../../tensor.js';
import { type PlanBuilder, unsupported } from '../builder.js';
import { isConstantProduct } from '../constant_product.js';
import type { FusedNode } from '../fuse.js';
import { lowerBinary, lowerUnary } from './elementwise.js';
import { constantInput, epilogueOperands } from './operands.js';
import { layerOf, packMatrices } from './weights.js';

/** x [..., inputs] * W [inputs, outputs]: one product over all leading dims when W is constant. */
export function lowerMatMul(fused: FusedNode, builder: PlanBuilder): void {
  const { node, output } = fused;
  const [a = '', b = ''] = node.inputs;
  const isFloat32 = builder.typeOf(output).type === 'float32';
  if (isFloat32 && isConstantProduct(builder.graph, node)) {
    const n = elementCount(builder.dimsOf(a).slice(0, -1));
    emitLayerProduct(fused, builder, { n, layer: layerOf(builder, node, 1) });
    return;
  }
  const aDims = builder.dimsOf(a).length === 1 ? [1, ...builder.dimsOf(a)] : builder.dimsOf(a);
  const bDims = builder.dimsOf(b).length === 1 ? [...builder.dimsOf(b), 1] : builder.dimsOf(b);
  emitBatchProduct(fused, builder, { aDims, bDims, transposeA: false, transposeB: false, alpha: 1 }, output);
}

/** alpha * op(a) * op(b) + beta * c. */
export function lowerGemm(fused: FusedNode, builder: PlanBuilder): void {
  const { node, output } = fused;
  const [a = '', b = '', c = ''] = node.inputs;
  if (builder.typeOf(output).type !== 'float32')
    throw unsupported(node, `a product of ${builder.typeOf(output).type}`);
  const alpha = floatAttribute(node, 'alpha', 1);
  const beta = floatAttribute(node, 'beta', 1);
  const transposeA = intAttribute(node, 'transA', 0) !== 0;
  const transposeB = intAttribute(node, 'transB', 0) !== 0;
  const [n = 0, outputs = 0] = builder.dimsOf(output);
  const biasDims = c === '' ? [] : builder.dimsOf(c);
  if (isConstantProduct(builder.graph, node)) {
    emitLayerProduct(fused, builder, { n, layer: layerOf(builder, node, 1) });
    return;
  }

  const product = c === '' ? output : builder.temporary('float32', [n, outputs]);
  emitBatchProduct(
    c === '' ? fused : { node, output: product },
    builder,
    { aDims: builder.dimsOf(a), bDims: builder.dimsOf(b), transposeA, transposeB, alpha },
    product,
  );
  if (c === '') return;
  let addend = c;
  if (beta !== 1) {
    addend = builder.temporary('float32', biasDims);
    lowerUnary(builder, node, c, addend, { op: 'affine', alpha: beta, beta: 0 });
  }
  const sum = fused.activation === undefined ? output : builder.temporary('float32', [n, outputs]);
  lowerBinary(builder, node, 'add', product, addend, sum);
  if (fused.activation !== undefined) lowerUnary(builder, node, sum, output, fused.activation);
}

/** y = [x, x B] [W; A]: the step computes x B for itself. */
export function lowerLowRank(fused: FusedNode, builder: PlanBuilder): void {
  const { node } = fused;
  const [x = '', weight = ''] = node.inputs;
  const [inputs = 0, outputs = 0] = builder.dimsOf(weight); // inputs of W and the rank
  const columns = builder.dimsOf(x).at(-1) ?? 0;
  const rank = inputs - columns;
  const n = elementCount(builder.dimsOf(x).slice(0, -1));
  const matrix = { weight, groups: 1, outputs, inputs, outputStride: 1, inputStride: outputs };
  const layer = { name: node.name, node: node.name, op: 'MatMul', input: 1, ...matrix } as const;
  const transposed = intAttribute(node, 'transB', 0) !== 0;
  const b = builder.weights.pack(
    {
      data: constantInput(builder, node, 3, 'a factor computed at run time'),
      rows: rank,
      cols: columns,
      offset: 0,
      rowStride: transposed ? columns : 1,
      colStride: transposed ? 1 : rank,
    },
    { format: 'dense', storage: 'float32' },
  );
  emitLayerProduct(fused, builder, { n, layer, others: [b] });
}

/** The product of a layer's weight, [outputs, inputs], with each of `n` rows of the node's first input. */
export function emitLayerProduct(
  fused: FusedNode,
  builder: PlanBuilder,
  {
    n,
    layer,
    others = [],
  }: { readonly n: number; readonly layer: Layer; readonly others?: readonly number[] },
): void {
  const { node, output } = fused;
  const y = [n, layer.outputs];
  const { weights } = packMatrices(builder, layer, { op: 'matmul', x: [n, layer.inputs], y, ints: { n } });
  const epilogue = epilogueOperands(fused, builder, y);
  const activation = builder.activationNumbers(fused);
  builder.emit({
    op: 'matmul',
    node,
    inputs: [builder.operand(node.inputs[0] ?? ''), ...epilogue.operands],
    output: builder.operand(output),
    ints: { n, ...epilogue.ints, ...activation.ints },
    floats: activation.floats,
    weights: [...weights, ...others],
  });
}

/** Matrices of a batch; each takes an entry in the plan. */
const mostBatches = 2 ** 20;

interface BatchProduct {
  readonly aDims: readonly number[];
  readonly bDims: readonly number[];
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly alpha: number;
}

function emitBatchProduct(fused: FusedNode, builder: PlanBuilder, form: BatchProduct, output: string): void {
  const { node, activation, bias } = fused;
  const { aDims, bDims, transposeA, transposeB, alpha } = form;
  const [rowsA = 1, colsA = 1] = aDims.slice(-2);
  const [rowsB = 1, colsB = 1] = bDims.slice(-2);
  const [m, k] = transposeA ? [colsA, rowsA] : [rowsA, colsA];
  const n = transposeB ? rowsB : colsB;
  const dims = builder.dimsOf(output);
  const [aBatch, bBatch] = [aDims.slice(0, -2), bDims.slice(0, -2)];
  const batch = broadcastDims(aBatch, bBatch) ?? [];
  if (elementCount(batch) > mostBatches)
    throw unsupported(node, `a product of more than ${mostBatches} matrices`);
  const batches = operandsOf(batch, aBatch, bBatch);
  const { type } = builder.typeOf(output);
  const product = activation === undefined && bias === undefined ? output : builder.temporary(type, dims);
  builder.emit({
    op: type === 'float32' ? 'batch_matmul' : 'plain_matmul',
    node,
    inputs: [builder.operand(node.inputs[0] ?? ''), builder.operand(node.inputs[1] ?? '')],
    output: builder.operand(product),
    ints: {
      m,
      k,
      n,
      a_offsets: batches.map(([a]) => a * m * k),
      b_offsets: batches.map(([, b]) => b * k * n),
      transpose_a: transposeA ? 1 : 0,
      transpose_b: transposeB ? 1 : 0,
    },
    floats: { alpha },
  });
  const sum = bias === undefined || activation === undefined ? output : builder.temporary(type, dims);
  if (bias !== undefined) lowerBinary(builder, node, 'add', product, bias, sum);
  if (activation !== undefined)
    lowerUnary(builder, node, bias === undefined ? product : sum, output, activation);
}

/** For each matrix of the output, which matrix of a and of b it multiplies. */
function operandsOf(
  dims: readonly number[],
  aDims: readonly number[],
  bDims: readonly number[],
): [number, number][] {
  const [aStrides, bStrides] = [broadcastStrides(aDims, dims), broadcastStrides(bDims, dims)];
  return Array.from({ length: elementCount(dims) }, (_, position) => {
    let rest = position;
    let [a, b] = [0, 0];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const index = rest % (dims[axis] ?? 1);
      rest = Math.floor(rest / (dims[axis] ?? 1));
      a += index * (aStrides[axis] ?? 0);
      b += index * (bStrides[axis] ?? 0);
    }
    return [a, b];
  });
}
