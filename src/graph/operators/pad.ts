import { bytesPerElement, elementCount } from '../../tensor.js';
import { choiceAttribute } from '../attributes.js';
import type { OperatorContext, TypeAndDims } from './definition.js';
import { copyStrided, rowMajorStrides, walk } from './strided.js';

export const padModes = ['constant', 'reflect', 'edge', 'wrap'] as const;

/** Elements a Pad adds before (and, negative, removes from) each axis, and after it. */
export function padsOf(context: OperatorContext): { begin: number[]; end: number[] } {
  const rank = context.dims(0).length;
  const pads = context.numbers(1);
  const axes = context.has(3)
    ? context.normalizeAxes(context.numbers(3), rank)
    : context.dims(0).map((_, i) => i);
  if (pads.length !== 2 * axes.length) {
    throw context.shapeError(`pads [${pads.join(', ')}] are not two for each of ${axes.length} axes`);
  }
  const begin = new Array<number>(rank).fill(0);
  const end = new Array<number>(rank).fill(0);
  axes.forEach((axis, i) => {
    begin[axis] = pads[i] ?? 0;
    end[axis] = pads[i + axes.length] ?? 0;
  });
  return { begin, end };
}

export function padInfer(context: OperatorContext): TypeAndDims[] {
  const { begin, end } = padsOf(context);
  const mode = choiceAttribute(context.node, 'mode', padModes, 'constant');
  const dims = context.dims(0).map((dim, axis) => {
    const [before, after] = [begin[axis] ?? 0, end[axis] ?? 0];
    const longest = Math.max(before, after);
    if (dim + before + after < 0)
      throw context.shapeError(`pads remove more than the ${dim} elements of axis ${axis}`);
    if (
      (mode === 'reflect' && longest >= Math.max(dim, 1)) ||
      (mode !== 'constant' && dim === 0 && longest > 0)
    ) {
      throw context.shapeError(`axis ${axis} is too short to ${mode} ${longest} elements`);
    }
    return dim + before + after;
  });
  return [{ type: context.type(0), dims }];
}

export function padIsIdentity(context: OperatorContext): boolean {
  const { begin, end } = padsOf(context);
  return [...begin, ...end].every((pad) => pad === 0);
}

export function padEvaluate(context: OperatorContext, outputs: readonly TypeAndDims[]): Uint8Array[] {
  const { type, dims } = outputs[0] as TypeAndDims;
  const { begin } = padsOf(context);
  const width = bytesPerElement[type];
  const source = context.known(0).bytes;
  const target = new Uint8Array(elementCount(dims) * width);
  const mode = choiceAttribute(context.node, 'mode', padModes, 'constant');
  const own = context.dims(0);
  const from = rowMajorStrides(own);
  const to = rowMajorStrides(dims);
  if (mode === 'constant') {
    if (context.has(2)) {
      const { bytes } = context.known(2);
      for (let i = 0; i < target.length; i += width) target.set(bytes.subarray(0, width), i);
    }
    // What both hold of each axis, negative pads cut off.
    const first = begin.map((pad) => Math.max(0, -pad));
    const common = own.map((dim, axis) =>
      Math.max(0, Math.min(dim, (dims[axis] ?? 0) - (begin[axis] ?? 0)) - (first[axis] ?? 0)),
    );
    const dot = (index: readonly number[], strides: readonly number[]) =>
      index.reduce((sum, value, axis) => sum + value * (strides[axis] ?? 0), 0);
    const start = first.map((value, axis) => value + (begin[axis] ?? 0));
    const layouts = [
      { offset: dot(first, from), strides: from },
      { offset: dot(start, to), strides: to },
    ] as const;
    copyStrided(common, width, source, layouts[0], target, layouts[1]);
    return [target];
  }
  walk(dims, [], (position) => {
    let offset = 0;
    own.forEach((dim, axis) => {
      const index = (Math.floor(position / (to[axis] ?? 1)) % (dims[axis] ?? 1)) - (begin[axis] ?? 0);
      offset += borrow(index, dim, mode) * (from[axis] ?? 0);
    });
    target.set(source.subarray(offset * width, (offset + 1) * width), position * width);
  });
  return [target];
}

/** The element that stands in for one outside [0, dim). */
function borrow(index: number, dim: number, mode: 'reflect' | 'edge' | 'wrap'): number {
  if (mode === 'edge') return Math.max(0, Math.min(dim - 1, index));
  if (mode === 'wrap') return ((index % dim) + dim) % dim;
  const period = Math.max(1, 2 * (dim - 1));
  const folded = ((index % period) + period) % period;
  return folded < dim ? folded : period - folded;
}
