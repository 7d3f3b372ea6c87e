import { elementCount } from '../../tensor.js';
import { intAttribute, intsAttribute, intsValue, intValue } from '../attributes.js';
import type { OperatorContext } from '../operators/definition.js';
import { operators } from '../operators/registry.js';
import { transposedWindowOf, type Window, windowOf } from '../operators/window.js';
import { inWords } from './activations.js';
import { type Decomposition, type DecompositionFamily, hasKernels, Words } from './definition.js';
import { unfold } from './windows.js';

/** Whether a kernel takes the node: float32, one or two spatial axes, known weights. */
const isPlain = (context: OperatorContext) =>
  hasKernels(context.type(0)) && context.dims(0).length <= 4 && context.constant(1) !== undefined;

/** What the definition of the operator checks, when the node does not reach it. */
const check = (context: OperatorContext) => operators.get(context.node.op)?.infer(context);

/** A convolution as a product: weights [groups, outputs, taps] times what they see [batch, groups, taps, places]. */
export function convolve(w: Words, x: string, weight: string, window: Window, groups: number): string {
  const [outputs = 0, channels = 0, ...kernel] = w.dims(weight);
  const [batch = 0] = w.dims(x);
  const seen = unfold(w, x, window, 0); // [batch, channels, place, tap, ...]
  const axes = [...kernel.keys()];
  const order = [0, 1, ...axes.map((i) => 3 + 2 * i), ...axes.map((i) => 2 + 2 * i)];
  const taps = channels * elementCount(kernel);
  const columns = w.reshape(w.transpose(seen, order), [batch, groups, taps, elementCount(window.outputs)]);
  const rows = w.reshape(weight, [groups, outputs / groups, taps]);
  return w.reshape(w.op('MatMul', [rows, columns]), [batch, outputs, ...window.outputs]);
}

export function addBias(w: Words, y: string, bias: string): string {
  if (bias === '') return y;
  const [, outputs = 0, ...spatial] = w.dims(y);
  return w.add(y, w.reshape(bias, [outputs, ...spatial.map(() => 1)]));
}

export function convWindow(context: OperatorContext, weight = 1): Window {
  return windowOf(context.node, context.dims(0).slice(2), context.dims(weight).slice(2), (reason) =>
    context.shapeError(reason),
  );
}

const conv: Decomposition = (context, decomposer) => {
  if (isPlain(context)) return undefined;
  check(context);
  const w = new Words(decomposer);
  const [x = '', weight = '', bias = ''] = context.node.inputs;
  const groups = intAttribute(context.node, 'group', 1);
  return [addBias(w, convolve(w, x, weight, convWindow(context), groups), bias)];
};

/** Zeros between the pixels make it a convolution with the weights turned around. */
const convTranspose: Decomposition = (context, decomposer) => {
  if (isPlain(context)) return undefined;
  check(context);
  const w = new Words(decomposer);
  const [x = '', weight = '', bias = ''] = context.node.inputs;
  const [channels = 0, outputs = 0, ...kernel] = context.dims(1);
  const groups = intAttribute(context.node, 'group', 1);
  const inputs = context.dims(0).slice(2);
  const {
    strides,
    dilations,
    padsBegin,
    outputs: sizes,
  } = transposedWindowOf(context.node, inputs, kernel, (reason) => context.shapeError(reason));
  let spread = x;
  inputs.forEach((size, i) => {
    const stride = strides[i] ?? 1;
    if (stride === 1) return;
    const dims = w.dims(spread);
    const apart = w.reshape(spread, [...dims.slice(0, i + 3), 1, ...dims.slice(i + 3)]);
    const pads = [...dims.map(() => 0), 0, ...dims.map(() => 0), 0].with(dims.length + 1 + i + 3, stride - 1);
    const padded = w.op('Pad', [apart, w.list(pads)]);
    const whole = w.reshape(padded, dims.with(i + 2, size * stride));
    spread = w.slice(whole, i + 2, 0, (size - 1) * stride + 1);
  });
  // The window starts where the last tap is on the first pixel, less the padding; Pad crops when that is negative.
  const before = kernel.map((size, i) => (size - 1) * (dilations[i] ?? 1) - (padsBegin[i] ?? 0));
  const after = kernel.map(
    (size, i) =>
      (sizes[i] ?? 1) -
      1 +
      (size - 1) * (dilations[i] ?? 1) +
      1 -
      (w.dims(spread)[i + 2] ?? 0) -
      (before[i] ?? 0),
  );
  spread = w.op('Pad', [spread, w.list([0, 0, ...before, 0, 0, ...after])]);
  const ones = kernel.map(() => 1);
  const none = kernel.map(() => 0);
  const window = { kernel, strides: ones, dilations, padsBegin: none, padsEnd: none, outputs: sizes };
  const perGroup = w.reshape(weight, [groups, channels / groups, outputs, ...kernel]);
  const swapped = w.transpose(perGroup, [0, 2, 1, ...kernel.map((_, i) => 3 + i)]);
  let turned = w.reshape(swapped, [groups * outputs, channels / groups, ...kernel]);
  kernel.forEach((size, i) => {
    if (size > 1) turned = w.slice(turned, 2 + i, -1, -(2 ** 31), -1);
  });
  return [addBias(w, convolve(w, spread, turned, window, groups), bias)];
};

export const convolutions: DecompositionFamily = {
  Conv: conv,
  ConvTranspose: convTranspose,
  /** Each tap adds its column to the image: a transposed convolution whose weights are ones. */
  Col2Im: inWords((w, x, context) => {
    const image = context.numbers(1);
    const block = context.numbers(2);
    const [batch = 0, rows = 0] = context.dims(0);
    const list = (name: string, fallback: number, length = image.length) =>
      intsAttribute(context.node, name) ?? new Array<number>(length).fill(fallback);
    const [strides, dilations] = [list('strides', 1), list('dilations', 1)];
    const pads = list('pads', 0, 2 * image.length);
    const taps = elementCount(block);
    if (block.length !== image.length || rows % taps !== 0)
      throw context.shapeError(`blocks of [${block.join(', ')}] do not fit`);
    const window = windowOf(
      { ...context.node, attributes: new Map(context.node.attributes).set('kernel_shape', intsValue(block)) },
      image,
      block,
      (reason) => context.shapeError(reason),
    );
    const channels = rows / taps;
    const ones = Array.from({ length: rows * taps }, (_, i) =>
      Number(Math.floor(i / taps) % taps === i % taps),
    );
    const { type } = context.input(0);
    const missing = image.map((size, i) => {
      const reach =
        ((window.outputs[i] ?? 1) - 1) * (strides[i] ?? 1) + ((block[i] ?? 1) - 1) * (dilations[i] ?? 1) + 1;
      return size + (pads[i] ?? 0) + (pads[i + image.length] ?? 0) - reach;
    });
    return w.op(
      'ConvTranspose',
      [w.reshape(x, [batch, rows, ...window.outputs]), w.constant(type, [rows, 1, ...block], ones)],
      {
        group: intValue(channels),
        strides: intsValue(strides),
        dilations: intsValue(dilations),
        pads: intsValue(pads),
        output_padding: intsValue(missing),
      },
    );
  }),
};
