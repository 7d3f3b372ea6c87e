import { choiceAttribute, intAttribute, intsAttribute } from '../../graph/attributes.js';
import { fromNumbers, readNumbers } from '../../graph/data.js';
import type { Node, TensorData } from '../../graph/graph.js';
import { broadcastStrides, rowMajorStrides, walk } from '../../graph/operators/strided.js';
import { elementCount } from '../../tensor.js';
import { type PlanBuilder, unsupported } from '../builder.js';
import type { FusedNode } from '../fuse.js';
import { frontAxis, numbersInput, splitDims } from './operands.js';
import { emitMirroredPad } from './pad.js';

/** One strided copy: for each index below `dims`, the output's element at `yStart + i * yStrides` is the input's. */
interface StridedCopy {
  readonly dims: readonly number[];
  readonly xStrides: readonly number[];
  readonly yStrides: readonly number[];
  readonly xStart?: number;
  readonly yStart?: number;
}

export function emitCopy(builder: PlanBuilder, node: Node, x: string, y: string, copy: StridedCopy): void {
  if (elementCount(copy.dims) === 0) return;
  const scalar = copy.dims.length === 0;
  builder.emit({
    op: 'copy',
    node,
    inputs: [builder.operand(x)],
    output: builder.operand(y),
    ints: {
      dims: scalar ? [1] : copy.dims,
      x_strides: scalar ? [1] : copy.xStrides,
      y_strides: scalar ? [1] : copy.yStrides,
      x_start: copy.xStart ?? 0,
      y_start: copy.yStart ?? 0,
    },
  });
}

/** The same elements under other dims: no step. */
export function lowerView({ node, output }: FusedNode, builder: PlanBuilder): void {
  builder.alias(output, node.inputs[0] ?? '');
}

export function lowerTranspose({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const dims = builder.dimsOf(x);
  const strides = rowMajorStrides(dims);
  const order = intsAttribute(node, 'perm') ?? dims.map((_, axis) => dims.length - 1 - axis);
  const moved = order.filter((axis) => dims[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || axis > (moved[i - 1] ?? 0))) {
    builder.alias(output, x); // only axes of one element change places
    return;
  }
  const to = builder.dimsOf(output);
  emitCopy(builder, node, x, output, {
    dims: to,
    xStrides: order.map((axis) => strides[axis] ?? 1),
    yStrides: rowMajorStrides(to),
  });
}

export function lowerConcat({ node, output }: FusedNode, builder: PlanBuilder): void {
  const dims = builder.dimsOf(output);
  const axis = frontAxis(intAttribute(node, 'axis', 0), dims.length);
  const strides = rowMajorStrides(dims);
  let start = 0;
  for (const x of node.inputs) {
    const own = builder.dimsOf(x);
    emitCopy(builder, node, x, output, {
      dims: own,
      xStrides: rowMajorStrides(own),
      yStrides: strides,
      yStart: start * (strides[axis] ?? 1),
    });
    start += own[axis] ?? 0;
  }
}

export function lowerSplit({ node }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const strides = rowMajorStrides(builder.dimsOf(x));
  const axis = frontAxis(intAttribute(node, 'axis', 0), strides.length);
  let start = 0;
  for (const output of node.outputs) {
    if (output === '') throw unsupported(node, 'a left out output');
    const own = builder.dimsOf(output);
    emitCopy(builder, node, x, output, {
      dims: own,
      xStrides: strides,
      yStrides: rowMajorStrides(own),
      xStart: start * (strides[axis] ?? 1),
    });
    start += own[axis] ?? 0;
  }
}

/** https://onnx.ai/onnx/operators/onnx__Slice.html: starts are clamped to [0, dim] or, going back, to [0, dim - 1]. */
export function lowerSlice({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const dims = builder.dimsOf(x);
  const strides = rowMajorStrides(dims);
  const starts = numbersInput(builder, node, 1) ?? [];
  const axes = numbersInput(builder, node, 3) ?? starts.map((_, i) => i);
  const steps = numbersInput(builder, node, 4) ?? starts.map(() => 1);
  let start = 0;
  const xStrides = [...strides];
  axes.forEach((negativeAxis, i) => {
    const axis = frontAxis(negativeAxis, dims.length);
    const dim = dims[axis] ?? 1;
    const step = steps[i] ?? 1;
    const first = frontAxis(starts[i] ?? 0, dim);
    start += Math.min(Math.max(first, 0), step < 0 ? dim - 1 : dim) * (strides[axis] ?? 1);
    xStrides[axis] = (strides[axis] ?? 1) * step;
  });
  const to = builder.dimsOf(output);
  emitCopy(builder, node, x, output, { dims: to, xStrides, yStrides: rowMajorStrides(to), xStart: start });
}

export function lowerExpand({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const to = builder.dimsOf(output);
  emitCopy(builder, node, x, output, {
    dims: to,
    xStrides: broadcastStrides(builder.dimsOf(x), to),
    yStrides: rowMajorStrides(to),
  });
}

/** Each axis of the output is (repeats, dim): the input does not move along the former. */
export function lowerTile({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const dims = builder.dimsOf(x);
  const to = builder.dimsOf(output);
  const paired = dims.flatMap((dim, axis) => [dim === 0 ? 0 : (to[axis] ?? 0) / dim, dim]);
  emitCopy(builder, node, x, output, {
    dims: paired,
    xStrides: rowMajorStrides(dims).flatMap((stride) => [0, stride]),
    yStrides: rowMajorStrides(paired),
  });
}

/** Constant padding (negative pads crop): fill, then copy the input into its place. */
export function lowerPad({ node, output }: FusedNode, builder: PlanBuilder): void {
  const mode = choiceAttribute(node, 'mode', ['constant', 'reflect', 'edge', 'wrap'], 'constant');
  const x = node.inputs[0] ?? '';
  const { type, dims: to } = builder.typeOf(output);
  const dims = builder.dimsOf(x);
  const pads = numbersInput(builder, node, 1) ?? [];
  const axes = (numbersInput(builder, node, 3) ?? dims.map((_, axis) => axis)).map((axis) =>
    frontAxis(axis, dims.length),
  );
  const before = dims.map((_, axis) => pads[axes.indexOf(axis)] ?? 0);
  const after = dims.map((_, axis) =>
    axes.includes(axis) ? (pads[axes.indexOf(axis) + axes.length] ?? 0) : 0,
  );
  if (mode !== 'constant') {
    emitMirroredPad(builder, node, mode, output, before, after);
    return;
  }
  const value = node.inputs[2] ?? '';
  if (value !== '' && (builder.typeOf(value).type !== type || elementCount(builder.dimsOf(value)) !== 1)) {
    throw unsupported(node, `padding of ${type} by a value of another type or of more than one element`);
  }
  const fill = value === '' ? builder.constant(fromNumbers(type, [], [0])) : value;
  if ([...before, ...after].some((pad) => pad > 0)) {
    builder.emit({ op: 'fill', node, inputs: [builder.operand(fill, [])], output: builder.operand(output) });
  }
  const xStrides = rowMajorStrides(dims);
  const yStrides = rowMajorStrides(to);
  const start = (strides: readonly number[], sign: number) =>
    strides.reduce((sum, stride, axis) => sum + stride * Math.max(0, sign * (before[axis] ?? 0)), 0);
  emitCopy(builder, node, x, output, {
    dims: dims.map((dim, axis) =>
      Math.max(0, dim + Math.min(0, before[axis] ?? 0) + Math.min(0, after[axis] ?? 0)),
    ),
    xStrides,
    yStrides,
    xStart: start(xStrides, -1),
    yStart: start(yStrides, 1),
  });
}

export function lowerGather({ node, output }: FusedNode, builder: PlanBuilder): void {
  const [x = '', indices = ''] = node.inputs;
  const dims = builder.dimsOf(x);
  const axis = frontAxis(intAttribute(node, 'axis', 0), dims.length);
  const [outer, size, inner] = splitDims(dims, axis);
  const lattice = latticeOf(builder.graph.constants.get(indices), size);
  if (lattice !== undefined) {
    const strides = rowMajorStrides(dims);
    const step = strides[axis] ?? 1;
    const to = builder.dimsOf(output);
    emitCopy(builder, node, x, output, {
      dims: to,
      xStrides: strides.toSpliced(axis, 1, ...lattice.strides.map((stride) => stride * step)),
      yStrides: rowMajorStrides(to),
      xStart: lattice.start * step,
    });
    return;
  }
  builder.emit({
    op: 'gather',
    node,
    inputs: [builder.operand(x), builder.operand(indices)],
    output: builder.operand(output),
    ints: { outer, axis: size, inner },
  });
}

/** Constant indices that are a start and a stride along each of their axes: what a strided copy reads. */
function latticeOf(
  indices: TensorData | undefined,
  size: number,
): { start: number; strides: number[] } | undefined {
  if (indices === undefined || elementCount(indices.dims) === 0) return undefined;
  const places = readNumbers(indices).map((index) => frontAxis(index, size));
  if (places.some((place) => place < 0 || place >= size)) return undefined; // the run says so
  const own = rowMajorStrides(indices.dims);
  const [start = 0] = places;
  const strides = indices.dims.map((dim, axis) => (dim > 1 ? (places[own[axis] ?? 1] ?? 0) - start : 0));
  let isLattice = true;
  walk(indices.dims, [strides], (position, [offset = 0]) => {
    if (places[position] !== start + offset) isLattice = false;
  });
  return isLattice ? { start, strides } : undefined;
}

/** [n, c, h, w] -> [n, c / b^2, h * b, w * b]; the block's axes come before (DCR) or after (CRD) the channels. */
export function lowerDepthToSpace({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const [n = 0, c = 0, h = 0, w = 0] = builder.dimsOf(x);
  const block = intAttribute(node, 'blocksize', 1);
  const channels = c / (block * block);
  const mode = choiceAttribute(node, 'mode', ['DCR', 'CRD'], 'DCR');
  const from = mode === 'DCR' ? [n, block, block, channels, h, w] : [n, channels, block, block, h, w];
  const order = mode === 'DCR' ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3];
  emitPermuted(builder, node, x, output, from, order);
}

export function lowerSpaceToDepth({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const [n = 0, c = 0, h = 0, w = 0] = builder.dimsOf(x);
  const block = intAttribute(node, 'blocksize', 1);
  emitPermuted(builder, node, x, output, [n, c, h / block, block, w / block, block], [0, 3, 5, 1, 2, 4]);
}

function emitPermuted(
  builder: PlanBuilder,
  node: Node,
  x: string,
  output: string,
  from: readonly number[],
  order: readonly number[],
): void {
  const strides = rowMajorStrides(from);
  const dims = order.map((axis) => from[axis] ?? 1);
  emitCopy(builder, node, x, output, {
    dims,
    xStrides: order.map((axis) => strides[axis] ?? 1),
    yStrides: rowMajorStrides(dims),
  });
}
