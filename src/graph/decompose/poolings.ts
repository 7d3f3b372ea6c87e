import { elementCount } from '../../tensor.js';
import { intAttribute, intsAttribute } from '../attributes.js';
import type { OperatorContext } from '../operators/definition.js';
import { type Window, windowOf } from '../operators/window.js';
import { inWords } from './activations.js';
import { type DecompositionFamily, hasKernels, Words } from './definition.js';
import { tapsLast, unfold } from './windows.js';

const lowest: Readonly<Record<string, number>> = {
  int8: -128,
  uint8: 0,
  int16: -32768,
  uint16: 0,
  int32: -(2 ** 31),
};

function windowIn(context: OperatorContext): Window {
  const [, , ...inputs] = context.dims(0);
  const kernel = intsAttribute(context.node, 'kernel_shape');
  if (inputs.length === 0) throw context.shapeError('the input needs at least 3 axes');
  if (kernel === undefined) throw context.shapeError('kernel_shape is missing');
  return windowOf(context.node, inputs, kernel, (reason) => context.shapeError(reason));
}

/** Whether a pooling kernel takes the node: float32 over one or two axes. */
const isPlain = (context: OperatorContext) => hasKernels(context.type(0)) && context.dims(0).length <= 4;

/** How many elements each window averages over. */
function countsOf(window: Window, inputs: readonly number[], withPadding: boolean): number[] {
  const along = window.outputs.map((count, axis) => {
    const before = window.padsBegin[axis] ?? 0;
    const size = inputs[axis] ?? 0;
    const [from, to] = withPadding ? [-before, size + (window.padsEnd[axis] ?? 0)] : [0, size];
    return Array.from({ length: count }, (_, place) => {
      const start = place * (window.strides[axis] ?? 1) - before;
      const taps = Array.from(
        { length: window.kernel[axis] ?? 1 },
        (_, tap) => start + tap * (window.dilations[axis] ?? 1),
      );
      return taps.filter((at) => at >= from && at < to).length;
    });
  });
  return along.reduce<number[]>((all, own) => all.flatMap((count) => own.map((more) => count * more)), [1]);
}

/** The p-norm of what is along `axes`. */
function norm(w: Words, x: string, p: number, axes: readonly number[]): string {
  if (p === 1 || p === 2) return w.reduce(p === 1 ? 'ReduceL1' : 'ReduceL2', x, axes, false);
  const sum = w.reduce('ReduceSum', w.op('Pow', [w.op('Abs', [x]), w.scalar(p, x)]), axes, false);
  return w.op('Pow', [sum, w.scalar(1 / p, sum)]);
}

export const poolings: DecompositionFamily = {
  MaxPool: (context, decomposer) => {
    const wantsPlaces = context.node.outputs.length > 1;
    if (isPlain(context) && !wantsPlaces) return undefined;
    const w = new Words(decomposer);
    const window = windowIn(context);
    const type = context.type(0);
    const taps = tapsLast(w, unfold(w, context.node.inputs[0] ?? '', window, lowest[type] ?? -Infinity));
    const axis = w.dims(taps).length - 1;
    const largest = w.reduce('ReduceMax', taps, [axis], false);
    return wantsPlaces ? [largest, placesOf(w, context, window, taps)] : [largest];
  },
  AveragePool: (context, decomposer) => {
    if (isPlain(context)) return undefined;
    const w = new Words(decomposer);
    const window = windowIn(context);
    const taps = tapsLast(w, unfold(w, context.node.inputs[0] ?? '', window, 0));
    const sum = w.reduce('ReduceSum', taps, [w.dims(taps).length - 1], false);
    const withPadding = intAttribute(context.node, 'count_include_pad', 0) !== 0;
    const counts = countsOf(window, context.dims(0).slice(2), withPadding);
    return [w.div(sum, w.constant(context.type(0), window.outputs, counts))];
  },
  LpPool: inWords((w, x, context) => {
    const taps = tapsLast(w, unfold(w, x, windowIn(context), 0));
    return norm(w, taps, intAttribute(context.node, 'p', 2), [w.dims(taps).length - 1]);
  }),
  GlobalLpPool: inWords((w, x, context) => {
    const [batch = 0, channels = 0, ...spatial] = context.dims(0);
    const flat = w.reshape(x, [batch, channels, elementCount(spatial)]);
    const result = norm(w, flat, intAttribute(context.node, 'p', 2), [2]);
    return w.reshape(result, [batch, channels, ...spatial.map(() => 1)]);
  }),
  GlobalAveragePool: (context, decomposer) => globalPool(context, decomposer, 'ReduceMean'),
  GlobalMaxPool: (context, decomposer) => globalPool(context, decomposer, 'ReduceMax'),
};

function globalPool(context: OperatorContext, decomposer: Words['decomposer'], op: string) {
  if (hasKernels(context.type(0))) return undefined;
  const spatial = [...context.dims(0).keys()].slice(2);
  return [new Words(decomposer).reduce(op, context.node.inputs[0] ?? '', spatial)];
}

/** Where in the whole input each largest element is, counted row by row, or with storage_order 1 column by column. */
function placesOf(w: Words, context: OperatorContext, window: Window, taps: string): string {
  const [batch = 0, channels = 0, ...inputs] = context.dims(0);
  const byColumn = intAttribute(context.node, 'storage_order', 0) !== 0;
  const order = byColumn ? inputs.keys() : [...inputs.keys()].reverse();
  const strides = new Array<number>(inputs.length).fill(1);
  let stride = 1;
  for (const axis of order) {
    strides[axis] = stride;
    stride *= inputs[axis] ?? 1;
  }
  // For each place and tap, its offset in the plane; those of the padding are never the largest.
  let offsets = [0];
  const offsetOf = (axis: number, place: number, tap: number) =>
    (place * (window.strides[axis] ?? 1) +
      tap * (window.dilations[axis] ?? 1) -
      (window.padsBegin[axis] ?? 0)) *
    (strides[axis] ?? 1);
  const axes = [...inputs.keys()];
  for (const axis of axes)
    offsets = offsets.flatMap((offset) =>
      Array.from({ length: window.outputs[axis] ?? 1 }, (_, place) => offset + offsetOf(axis, place, 0)),
    );
  for (const axis of axes)
    offsets = offsets.flatMap((offset) =>
      Array.from(
        { length: window.kernel[axis] ?? 1 },
        (_, tap) => offset + offsetOf(axis, 0, tap) - offsetOf(axis, 0, 0),
      ),
    );
  const [places, count] = [elementCount(window.outputs), elementCount(window.kernel)];
  const table = w.constant('int64', [places * count], offsets);
  const axis = w.dims(taps).length - 1;
  const best = w.op('ArgMax', [taps], {
    axis: { kind: 'int', value: BigInt(axis) },
    keepdims: { kind: 'int', value: 0n },
  });
  const starts = w.constant(
    'int64',
    window.outputs,
    [...Array(places).keys()].map((place) => place * count),
  );
  const inPlane = w.gather(table, w.add(best, starts), 0);
  const plane = elementCount(inputs);
  const planes = w.constant(
    'int64',
    [batch, channels, ...inputs.map(() => 1)],
    [...Array(batch * channels).keys()].map((i) => i * plane),
  );
  return w.add(inPlane, planes);
}
