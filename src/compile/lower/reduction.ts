import { floatAttribute, intAttribute, intsAttribute } from '../../graph/attributes.js';
import type { Node } from '../../graph/graph.js';
import { broadcastStrides, rowMajorStrides } from '../../graph/operators/strided.js';
import { windowOf } from '../../graph/operators/window.js';
import { type ReduceOp, reduceCode, type UnaryOp, unaryCode } from '../../native/codes.js';
import { elementCount } from '../../tensor.js';
import { type PlanBuilder, unsupported } from '../builder.js';
import type { FusedNode } from '../fuse.js';
import { planarOperands, windowNumbers } from './convolution.js';
import { lowerBinary, lowerUnary } from './elementwise.js';
import { emitCopy } from './movement.js';
import { frontAxis, numbersInput, splitDims } from './operands.js';

interface Reduction {
  readonly op: ReduceOp;
  readonly mean?: true;
  readonly post?: UnaryOp;
}

const reductionOf: Readonly<Record<string, Reduction>> = {
  ReduceSum: { op: 'sum' },
  ReduceMean: { op: 'sum', mean: true },
  ReduceMax: { op: 'max' },
  ReduceMin: { op: 'min' },
  ReduceProd: { op: 'prod' },
  ReduceSumSquare: { op: 'sumSquare' },
  ReduceL1: { op: 'sumAbs' },
  ReduceL2: { op: 'sumSquare', post: 'sqrt' },
};

export const reduceOperators = Object.keys(reductionOf);

/** Folds `axes` of x; when they are not neighbours, the reduced axes are moved to the end first. */
function emitReduce(
  builder: PlanBuilder,
  node: Node,
  x: string,
  y: string,
  axes: readonly number[],
  { op, mean, post }: Reduction,
): void {
  const { type, dims } = builder.typeOf(x);
  const reduced = dims.map((_, axis) => axis).filter((axis) => axes.includes(axis) && dims[axis] !== 1);
  const first = reduced[0] ?? 0;
  const last = reduced.at(-1) ?? -1;
  const neighbours = dims.slice(first, last + 1).every((dim, i) => dim === 1 || axes.includes(first + i));
  const n = reduced.reduce((product, axis) => product * (dims[axis] ?? 1), 1);
  let source = x;
  let [outer, inner] = [elementCount(dims.slice(0, first)), elementCount(dims.slice(last + 1))];
  if (!neighbours) {
    const order = [...dims.keys()].sort(
      (a, b) => Number(axes.includes(a)) - Number(axes.includes(b)) || a - b,
    );
    const moved = order.map((axis) => dims[axis] ?? 1);
    const strides = rowMajorStrides(dims);
    source = builder.temporary(type, moved);
    emitCopy(builder, node, x, source, {
      dims: moved,
      xStrides: order.map((axis) => strides[axis] ?? 1),
      yStrides: rowMajorStrides(moved),
    });
    const kept = dims.filter((_, axis) => !axes.includes(axis));
    [outer, inner] = [elementCount(kept), 1];
  }
  const fold = { node, inputs: [builder.operand(source)], output: builder.operand(y) };
  const ints = { outer, n, inner, op: reduceCode(op) };
  if (type === 'float32') {
    const floats = { scale: mean ? 1 / n : 1 };
    builder.emit({ op: 'reduce', ...fold, ints: { ...ints, post: unaryCode(post ?? 'copy') }, floats });
    return;
  }
  if (mean || post !== undefined) throw unsupported(node, `an input of type ${type}`);
  builder.emit({ op: 'fold', ...fold, ints });
}

export function lowerReduce({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const dims = builder.dimsOf(x);
  const given = (numbersInput(builder, node, 1) ?? []).map((axis) => frontAxis(axis, dims.length));
  const all = intAttribute(node, 'noop_with_empty_axes', 0) !== 0 ? [] : [...dims.keys()];
  const reduction = reductionOf[node.op];
  if (reduction === undefined) throw unsupported(node, 'this reduction');
  emitReduce(builder, node, x, output, given.length > 0 ? given : all, reduction);
}

export function lowerGlobalPool({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const spatial = [...builder.dimsOf(x).keys()].slice(2);
  const reduction: Reduction = node.op === 'GlobalMaxPool' ? { op: 'max' } : { op: 'sum', mean: true };
  emitReduce(builder, node, x, output, spatial, reduction);
}

export function lowerPool({ node, output }: FusedNode, builder: PlanBuilder): void {
  const { x, y, spatial } = planarOperands(builder, node, output);
  const type = builder.typeOf(output).type;
  if (type !== 'float32') throw unsupported(node, `an input of type ${type}`);
  if (node.outputs.length > 1) throw unsupported(node, 'the output of indices');
  const kernel = intsAttribute(node, 'kernel_shape') ?? [];
  const window = windowOf(node, spatial, kernel, (reason) => unsupported(node, reason));
  builder.emit({
    op: 'pool2d',
    node,
    inputs: [x],
    output: y,
    ints: {
      ...windowNumbers(node, window),
      average: node.op === 'AveragePool' ? 1 : 0,
      count_include_pad: intAttribute(node, 'count_include_pad', 0),
    },
  });
}

export function lowerSoftmax({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const { type, dims } = builder.typeOf(x);
  if (type !== 'float32') throw unsupported(node, `an input of type ${type}`);
  const [outer, n, inner] = splitDims(dims, frontAxis(intAttribute(node, 'axis', -1), dims.length));
  builder.emit({
    op: 'softmax',
    node,
    inputs: [builder.operand(x)],
    output: builder.operand(output),
    ints: { outer, n, inner },
  });
}

/** x - max - log(sum(exp(x - max))): the logarithm of a softmax would be -infinity where that is below float32. */
export function lowerLogSoftmax({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const { type, dims } = builder.typeOf(x);
  if (type !== 'float32') throw unsupported(node, `an input of type ${type}`);
  const axis = frontAxis(intAttribute(node, 'axis', -1), dims.length);
  const one = dims.with(axis, 1);
  const largest = builder.temporary('float32', one);
  const shifted = builder.temporary('float32', dims);
  const power = builder.temporary('float32', dims);
  const sum = builder.temporary('float32', one);
  const logarithm = builder.temporary('float32', one);
  const plain = { alpha: 0, beta: 0 };
  emitReduce(builder, node, x, largest, [axis], { op: 'max' });
  lowerBinary(builder, node, 'sub', x, largest, shifted);
  lowerUnary(builder, node, shifted, power, { op: 'exp', ...plain });
  emitReduce(builder, node, power, sum, [axis], { op: 'sum' });
  lowerUnary(builder, node, sum, logarithm, { op: 'log', ...plain });
  lowerBinary(builder, node, 'sub', shifted, logarithm, output);
}

export function lowerLayerNormalization({ node, output }: FusedNode, builder: PlanBuilder): void {
  const [x = '', scale = '', bias = ''] = node.inputs;
  const { type, dims } = builder.typeOf(x);
  if (type !== 'float32') throw unsupported(node, `an input of type ${type}`);
  if (node.outputs.length > 1) throw unsupported(node, 'the output of mean and deviation');
  const axis = frontAxis(intAttribute(node, 'axis', -1), dims.length);
  const n = elementCount(dims.slice(axis));
  const parameters = [scale, bias].filter((name) => name !== '');
  builder.emit({
    op: 'layer_norm',
    node,
    inputs: [x, ...parameters.map((name) => expanded(builder, node, name, dims.slice(axis)))].map((name) =>
      builder.operand(name),
    ),
    output: builder.operand(output),
    ints: {
      outer: elementCount(dims.slice(0, axis)),
      n,
      has_scale: scale === '' ? 0 : 1,
      has_bias: bias === '' ? 0 : 1,
      root_mean_square: intAttribute(node, 'root_mean_square', 0),
    },
    floats: { epsilon: floatAttribute(node, 'epsilon', 1e-5) },
  });
}

/** A scale or bias with one number for each of the normalised ones. */
function expanded(builder: PlanBuilder, node: Node, name: string, dims: readonly number[]): string {
  const own = builder.dimsOf(name);
  if (elementCount(own) === elementCount(dims)) return name;
  const full = builder.temporary('float32', dims);
  emitCopy(builder, node, name, full, {
    dims,
    xStrides: broadcastStrides(own, dims),
    yStrides: rowMajorStrides(dims),
  });
  return full;
}
