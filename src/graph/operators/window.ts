import { choiceAttribute, intAttribute, intsAttribute } from '../attributes.js';
import type { Node } from '../graph.js';

/** How a kernel slides over the spatial axes of a convolution or a pooling; one entry per spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
  readonly outputs: readonly number[];
}

type Fail = (reason: string) => Error;

/**
 * The window of a Conv, MaxPool or AveragePool, `auto_pad` resolved
 * (https://onnx.ai/onnx/operators/onnx__Conv.html, https://onnx.ai/onnx/operators/onnx__MaxPool.html).
 * @param inputs spatial dims of the input
 * @param fail makes the error for attributes that do not fit
 */
export function windowOf(
  node: Node,
  inputs: readonly number[],
  kernel: readonly number[],
  fail: Fail,
): Window {
  const { strides, dilations } = spacingOf(node, inputs, kernel, fail);
  const autoPad = choiceAttribute(
    node,
    'auto_pad',
    ['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'],
    'NOTSET',
  );
  const ceilMode = intAttribute(node, 'ceil_mode', 0) === 1;
  const pads = autoPad === 'NOTSET' ? padsOf(node, inputs.length, fail) : [];
  const padsBegin: number[] = [];
  const padsEnd: number[] = [];
  const outputs = inputs.map((input, axis) => {
    const stride = strides[axis] ?? 1;
    const extent = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
    if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
      const output = Math.ceil(input / stride);
      const total = Math.max(0, (output - 1) * stride + extent - input);
      const half = Math.floor(total / 2);
      padsBegin.push(autoPad === 'SAME_UPPER' ? half : total - half);
      padsEnd.push(autoPad === 'SAME_UPPER' ? total - half : half);
      return output;
    }
    const begin = pads[axis] ?? 0;
    const end = pads[axis + inputs.length] ?? 0;
    padsBegin.push(begin);
    padsEnd.push(end);
    const steps = (input + begin + end - extent) / stride;
    if (!ceilMode) return Math.floor(steps) + 1;
    const output = Math.ceil(steps) + 1;
    // The last window has to start inside the input or the padding before it (https://github.com/onnx/onnx/pull/5741).
    return (output - 1) * stride >= input + begin ? output - 1 : output;
  });
  if (outputs.some((size) => !(size >= 1))) {
    throw fail(`a kernel of [${kernel.join(', ')}] gives outputs of [${outputs.join(', ')}]`);
  }
  return { kernel, strides, dilations, padsBegin, padsEnd, outputs };
}

/**
 * The window of a ConvTranspose, `auto_pad` and `output_shape` resolved to pads
 * (https://onnx.ai/onnx/operators/onnx__ConvTranspose.html).
 */
export function transposedWindowOf(
  node: Node,
  inputs: readonly number[],
  kernel: readonly number[],
  fail: Fail,
): Window {
  const { strides, dilations } = spacingOf(node, inputs, kernel, fail);
  const autoPad = choiceAttribute(
    node,
    'auto_pad',
    ['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'],
    'NOTSET',
  );
  const pads = autoPad === 'NOTSET' ? padsOf(node, inputs.length, fail) : [];
  const outputPadding = listOf(node, 'output_padding', inputs.length, 0, fail);
  const outputShape = intsAttribute(node, 'output_shape')?.slice(-inputs.length);
  const padsBegin: number[] = [];
  const padsEnd: number[] = [];
  const outputs = inputs.map((input, axis) => {
    const stride = strides[axis] ?? 1;
    const extent = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
    const full = stride * (input - 1) + (outputPadding[axis] ?? 0) + extent;
    const same = autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER';
    const wanted = outputShape?.[axis] ?? (same ? input * stride : undefined);
    if (wanted === undefined) {
      const begin = pads[axis] ?? 0;
      const end = pads[axis + inputs.length] ?? 0;
      padsBegin.push(begin);
      padsEnd.push(end);
      return full - begin - end;
    }
    // An output larger than what the kernel reaches keeps its size; the rest of it is bias alone.
    const total = Math.max(0, full - wanted);
    const half = Math.floor(total / 2);
    padsBegin.push(autoPad === 'SAME_UPPER' ? half : total - half);
    padsEnd.push(autoPad === 'SAME_UPPER' ? total - half : half);
    return wanted;
  });
  if (outputs.some((size) => !(size >= 1))) {
    throw fail(`a kernel of [${kernel.join(', ')}] gives outputs of [${outputs.join(', ')}]`);
  }
  return { kernel, strides, dilations, padsBegin, padsEnd, outputs };
}

function spacingOf(node: Node, inputs: readonly number[], kernel: readonly number[], fail: Fail) {
  if (kernel.length !== inputs.length || kernel.some((size) => size < 1)) {
    throw fail(`a kernel of [${kernel.join(', ')}] does not fit ${inputs.length} spatial axes`);
  }
  return {
    strides: listOf(node, 'strides', inputs.length, 1, fail),
    dilations: listOf(node, 'dilations', inputs.length, 1, fail),
  };
}

function padsOf(node: Node, axes: number, fail: Fail): number[] {
  return listOf(node, 'pads', 2 * axes, 0, fail);
}

/** An attribute with `length` entries of at least `least`, which is also their default. */
function listOf(node: Node, name: string, length: number, least: 0 | 1, fail: Fail): number[] {
  const values = intsAttribute(node, name) ?? new Array<number>(length).fill(least);
  if (values.length !== length || values.some((value) => value < least)) {
    throw fail(`${name} of [${values.join(', ')}] are not ${length} numbers of at least ${least}`);
  }
  return values;
}
