import { EspalierError } from '../../errors.js';
import { bytesPerElement, elementCount } from '../../tensor.js';
import { choiceAttribute, intAttribute, intsAttribute } from '../attributes.js';
import { readNumbers } from '../data.js';
import type { OperatorContext, OperatorFamily, TypeAndDims } from './definition.js';
import { padEvaluate, padInfer, padIsIdentity } from './pad.js';
import { broadcastDims, broadcastStrides, copyStrided, gatherStrided, rowMajorStrides } from './strided.js';

/** Operators that copy elements to other places. */
export const movements: OperatorFamily = {
  Transpose: {
    infer: (context) => {
      const dims = context.dims(0);
      return [{ type: context.type(0), dims: permutation(context).map((axis) => dims[axis] ?? 1) }];
    },
    isIdentity: (context) => permutation(context).every((axis, position) => axis === position),
    evaluate: (context, [output]) => {
      const strides = rowMajorStrides(context.dims(0));
      const moved = permutation(context).map((axis) => strides[axis] ?? 0);
      return [gatherOutput(context, output, { offset: 0, strides: moved })];
    },
  },
  Expand: {
    infer: (context) => {
      const wanted = context.numbers(1);
      const dims = broadcastDims(context.dims(0), wanted);
      if (dims === undefined || wanted.some((dim) => dim < 0))
        throw context.shapeError(`the input does not expand to [${wanted.join(', ')}]`);
      return [{ type: context.type(0), dims }];
    },
    isIdentity: (context, [output]) => output?.dims.join() === context.dims(0).join(),
    evaluate: (context, [output]) => {
      const strides = broadcastStrides(context.dims(0), (output as TypeAndDims).dims);
      return [gatherOutput(context, output, { offset: 0, strides })];
    },
  },
  Tile: {
    infer: (context) => {
      const repeats = context.numbers(1);
      const dims = context.dims(0);
      if (repeats.length !== dims.length || repeats.some((count) => count < 0)) {
        throw context.shapeError(`repeats [${repeats.join(', ')}] do not fit`);
      }
      return [{ type: context.type(0), dims: dims.map((dim, axis) => dim * (repeats[axis] ?? 1)) }];
    },
    isIdentity: (context, [output]) => output?.dims.join() === context.dims(0).join(),
    evaluate: (context) => {
      // Each axis becomes two: one that repeats, one that runs.
      const strides = rowMajorStrides(context.dims(0));
      const dims = context.numbers(1).flatMap((count, axis) => [count, context.dims(0)[axis] ?? 1]);
      const doubled = strides.flatMap((stride) => [0, stride]);
      const { type, bytes } = context.known(0);
      return [gatherStrided(dims, bytesPerElement[type], bytes, { offset: 0, strides: doubled })];
    },
  },
  Slice: {
    infer: (context) => {
      const spans = sliceSpans(context);
      return [{ type: context.type(0), dims: spans.map(({ count }) => count) }];
    },
    isIdentity: (context) =>
      sliceSpans(context).every(
        ({ step, count }, axis) => count === context.dims(0)[axis] && (step > 0 || count < 2),
      ),
    evaluate: (context, [output]) => {
      const strides = rowMajorStrides(context.dims(0));
      const spans = sliceSpans(context);
      const offset = spans.reduce((sum, { start }, axis) => sum + start * (strides[axis] ?? 0), 0);
      const steps = spans.map(({ step }, axis) => step * (strides[axis] ?? 0));
      return [gatherOutput(context, output, { offset, strides: steps })];
    },
  },
  Split: {
    infer: (context) => {
      const { type, dims } = context.input(0);
      const axis = context.normalizeAxis(intAttribute(context.node, 'axis', 0), dims.length);
      return splitSizes(context, axis).map((size) => ({ type, dims: dims.with(axis, size) }));
    },
    evaluate: (context, outputs) => {
      const dims = context.dims(0);
      const axis = context.normalizeAxis(intAttribute(context.node, 'axis', 0), dims.length);
      const strides = rowMajorStrides(dims);
      let start = 0;
      return outputs.map((output) => {
        const part = gatherOutput(context, output, { offset: start * (strides[axis] ?? 0), strides });
        start += output.dims[axis] ?? 0;
        return part;
      });
    },
  },
  Concat: {
    infer: (context) => {
      const { type, dims } = context.input(0);
      const axis = context.normalizeAxis(intAttribute(context.node, 'axis', 0), dims.length);
      let size = 0;
      for (let i = 0; i < context.inputCount; i++) {
        if (context.type(i) !== type) throw context.typeError('the inputs differ in type');
        const own = context.dims(i);
        if (own.length !== dims.length || own.some((dim, k) => k !== axis && dim !== dims[k])) {
          throw context.shapeError(`the inputs differ in another axis than ${axis}`);
        }
        size += own[axis] ?? 0;
      }
      return [{ type, dims: dims.with(axis, size) }];
    },
    isIdentity: (context) => context.inputCount === 1,
    evaluate: (context, [output]) => {
      const { type, dims } = output as TypeAndDims;
      const width = bytesPerElement[type];
      const axis = context.normalizeAxis(intAttribute(context.node, 'axis', 0), dims.length);
      const target = new Uint8Array(elementCount(dims) * width);
      const strides = rowMajorStrides(dims);
      let start = 0;
      for (let i = 0; i < context.inputCount; i++) {
        const own = context.dims(i);
        const from = { offset: 0, strides: rowMajorStrides(own) };
        copyStrided(own, width, context.known(i).bytes, from, target, {
          offset: start * (strides[axis] ?? 0),
          strides,
        });
        start += own[axis] ?? 0;
      }
      return [target];
    },
  },
  Gather: {
    infer: (context) => {
      const dims = context.dims(0);
      const axis = context.normalizeAxis(intAttribute(context.node, 'axis', 0), dims.length);
      const { type } = context.input(1);
      if (type !== 'int64' && type !== 'int32') throw context.typeError('the indices must be int32 or int64');
      return [
        {
          type: context.type(0),
          dims: [...dims.slice(0, axis), ...context.dims(1), ...dims.slice(axis + 1)],
        },
      ];
    },
    evaluate: (context, [output]) => {
      const dims = context.dims(0);
      const axis = context.normalizeAxis(intAttribute(context.node, 'axis', 0), dims.length);
      const size = dims[axis] ?? 1;
      const { type, bytes } = context.known(0);
      const block = elementCount(dims.slice(axis + 1)) * bytesPerElement[type];
      const outer = elementCount(dims.slice(0, axis));
      const target = new Uint8Array(elementCount((output as TypeAndDims).dims) * bytesPerElement[type]);
      // An empty result may have any number of outer rows.
      if (target.length === 0) return [target];
      const indices = readNumbers(context.known(1));
      for (let o = 0; o < outer; o++) {
        for (const [i, index] of indices.entries()) {
          const row = index < 0 ? index + size : index;
          if (row < 0 || row >= size) {
            throw new EspalierError(
              'ERR_ESPALIER_MODEL',
              `Expected indices of node ${context.node.name} (Gather) in [${-size}, ${size - 1}], got ${index}`,
            );
          }
          const start = (o * size + row) * block;
          target.set(bytes.subarray(start, start + block), (o * indices.length + i) * block);
        }
      }
      return [target];
    },
  },
  Pad: { infer: padInfer, isIdentity: padIsIdentity, evaluate: padEvaluate },
  DepthToSpace: {
    infer: (context) => {
      const { block, batch, channels, height, width } = imageDims(context);
      if (channels % (block * block) !== 0)
        throw context.shapeError(`channels are not a multiple of ${block * block}`);
      return [
        { type: context.type(0), dims: [batch, channels / (block * block), height * block, width * block] },
      ];
    },
    evaluate: (context) => {
      const { block, batch, channels, height, width } = imageDims(context);
      const depth = channels / (block * block);
      const depthFirst = choiceAttribute(context.node, 'mode', ['DCR', 'CRD'], 'DCR') === 'DCR';
      const plane = height * width;
      // Channels hold [row in block, column in block, depth] (DCR) or [depth, row in block, column in block] (CRD).
      const [deep, row, column] = depthFirst
        ? [plane, block * depth * plane, depth * plane]
        : [block * block * plane, block * plane, plane];
      const strides = [channels * plane, deep, width, row, 1, column];
      const { type, bytes } = context.known(0);
      const dims = [batch, depth, height, block, width, block];
      return [gatherStrided(dims, bytesPerElement[type], bytes, { offset: 0, strides })];
    },
  },
  SpaceToDepth: {
    infer: (context) => {
      const { block, batch, channels, height, width } = imageDims(context);
      if (height % block !== 0 || width % block !== 0)
        throw context.shapeError(`the image is not a multiple of ${block}`);
      return [
        { type: context.type(0), dims: [batch, channels * block * block, height / block, width / block] },
      ];
    },
    evaluate: (context) => {
      const { block, batch, channels, height, width } = imageDims(context);
      const dims = [batch, block, block, channels, height / block, width / block];
      const strides = [channels * height * width, width, 1, height * width, block * width, block];
      const { type, bytes } = context.known(0);
      return [gatherStrided(dims, bytesPerElement[type], bytes, { offset: 0, strides })];
    },
  },
};

function gatherOutput(
  context: OperatorContext,
  output: TypeAndDims | undefined,
  from: { readonly offset: number; readonly strides: readonly number[] },
): Uint8Array {
  const { type, bytes } = context.known(0);
  return gatherStrided((output as TypeAndDims).dims, bytesPerElement[type], bytes, from);
}

/** Axis of the input that each axis of the output is; reversed by default. */
function permutation(context: OperatorContext): number[] {
  const rank = context.dims(0).length;
  const declared = intsAttribute(context.node, 'perm');
  if (declared === undefined) return Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  // Unlike other axes, these do not count from the end: onnxruntime refuses negative ones too.
  if (declared.length !== rank || declared.some((axis) => axis < 0))
    throw context.shapeError(`perm [${declared.join(', ')}] does not fit ${rank} axes`);
  return context.normalizeAxes(declared, rank);
}

interface Span {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** What a Slice takes along each axis: starts, ends, axes and steps clamp as the specification says. */
function sliceSpans(context: OperatorContext): Span[] {
  const dims = context.dims(0);
  const starts = context.numbers(1);
  const ends = context.numbers(2);
  const axes = context.normalizeAxes(
    context.has(3) ? context.numbers(3) : starts.map((_, i) => i),
    dims.length,
  );
  const steps = context.has(4) ? context.numbers(4) : starts.map(() => 1);
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length) {
    throw context.shapeError('starts, ends, axes and steps differ in length');
  }
  return dims.map((size, axis) => {
    const i = axes.indexOf(axis);
    if (i < 0) return { start: 0, step: 1, count: size };
    const step = steps[i] ?? 1;
    if (step === 0) throw context.shapeError('a step of 0');
    if (size === 0) return { start: 0, step, count: 0 };
    // Going backwards, the last element is the first one at most, unlike in Python the first at least, and the end may
    // lie before it.
    const [least, most] = step > 0 ? [0, size] : [-1, size - 1];
    const clamp = (value: number, low: number) =>
      Math.max(low, Math.min(most, value < 0 ? value + size : value));
    const start = clamp(starts[i] ?? 0, 0);
    const count = Math.max(0, Math.ceil((clamp(ends[i] ?? 0, least) - start) / step));
    return { start, step, count };
  });
}

/** Sizes along the split axis: given, or equal but for a smaller last one. */
function splitSizes(context: OperatorContext, axis: number): number[] {
  const size = context.dims(0)[axis] ?? 0;
  const outputs = context.node.outputs.length;
  if (context.has(1)) {
    const sizes = context.numbers(1);
    if (
      sizes.length !== outputs ||
      sizes.some((part) => part < 0) ||
      sizes.reduce((a, b) => a + b, 0) !== size
    ) {
      throw context.shapeError(`split [${sizes.join(', ')}] does not give ${outputs} parts of ${size}`);
    }
    return sizes;
  }
  const parts = intAttribute(context.node, 'num_outputs', outputs);
  if (parts !== outputs)
    throw context.shapeError(`num_outputs ${parts} is not the number of outputs, ${outputs}`);
  const part = Math.ceil(size / parts);
  const last = size - part * (parts - 1);
  if (last < 0) throw context.shapeError(`${size} elements do not split into ${parts} parts`);
  return Array.from({ length: parts }, (_, i) => (i < parts - 1 ? part : last));
}

function imageDims(context: OperatorContext) {
  const [batch = 0, channels = 0, height = 0, width = 0, ...others] = context.dims(0);
  const block = intAttribute(context.node, 'blocksize', 0);
  if (context.dims(0).length !== 4 || others.length > 0) throw context.shapeError('the input needs 4 axes');
  if (block < 1) throw context.shapeError(`blocksize ${block} is not positive`);
  return { block, batch, channels, height, width };
}
