import { elementCount } from '../../tensor.js';
import { intAttribute } from '../attributes.js';
import { readElements, readNumbers } from '../data.js';
import type { OperatorContext } from '../operators/definition.js';
import { inWords } from './activations.js';
import { type DecompositionFamily, Words } from './definition.js';
import { suppress } from './suppression.js';

/** Whether each element of input `i` is other than zero. */
function flags(context: OperatorContext, i: number): boolean[] {
  return Array.from(
    readElements(context.known(i)) as Iterable<number | bigint>,
    (value) => Number(value) !== 0,
  );
}

const positionsOf = (list: readonly boolean[]) => list.flatMap((flag, i) => (flag ? [i] : []));

/** Operators whose output dims depend on values: these have to be known, and then the results are constants. */
export const counted: DecompositionFamily = {
  NonZero: (context, decomposer) => {
    const dims = context.dims(0);
    const places = positionsOf(flags(context, 0));
    const coordinates = dims.flatMap((dim, axis) => {
      const stride = elementCount(dims.slice(axis + 1));
      return places.map((place) => Math.floor(place / stride) % dim);
    });
    return [new Words(decomposer).constant('int64', [dims.length, places.length], coordinates)];
  },
  Compress: inWords((w, x, context) => {
    const dims = context.dims(0);
    const declared = intAttribute(context.node, 'axis', undefined);
    const axis = declared === undefined ? 0 : context.normalizeAxis(declared, dims.length);
    const data = declared === undefined ? w.reshape(x, [elementCount(dims)]) : x;
    const kept = positionsOf(flags(context, 1));
    if (kept.some((place) => place >= (w.dims(data)[axis] ?? 0)))
      throw context.shapeError('the condition is longer than what it chooses from');
    return w.gather(data, w.list(kept), axis);
  }),
  NonMaxSuppression: (context, decomposer) => {
    const optional = (i: number, fallback: number) =>
      context.has(i) ? (context.anyNumbers(i)[0] ?? fallback) : fallback;
    const [batches = 0, boxes = 0] = context.dims(0);
    const [, classes = 0] = context.dims(1);
    if (
      context.dims(0).length !== 3 ||
      context.dims(0)[2] !== 4 ||
      context.dims(1).join() !== `${batches},${classes},${boxes}`
    )
      throw context.shapeError('boxes need dims [batch, boxes, 4], scores [batch, classes, boxes]');
    const chosen = suppress(readNumbers(context.known(0)), readNumbers(context.known(1)), {
      batches,
      boxes,
      classes,
      most: optional(2, 0),
      overlap: optional(3, 0),
      score: context.has(4) ? optional(4, 0) : Number.NEGATIVE_INFINITY,
      centered: intAttribute(context.node, 'center_point_box', 0) !== 0,
    });
    return [new Words(decomposer).constant('int64', [chosen.length, 3], chosen.flat())];
  },
  /** The different slices along an axis, or elements: the first place of each, each one's index, how often each is. */
  Unique: (context, decomposer) => {
    const declared = intAttribute(context.node, 'axis', undefined);
    const w = new Words(decomposer);
    const whole = declared === undefined;
    const dims = whole ? [elementCount(context.dims(0))] : context.dims(0);
    const axis = whole ? 0 : context.normalizeAxis(declared, dims.length);
    const { type, bytes } = context.known(0);
    const elements = readElements({ type, dims, bytes }) as Float64Array;
    const stride = elementCount(dims.slice(axis + 1));
    const size = dims[axis] ?? 1;
    const sliceOf = (at: number) =>
      Array.from(elements).filter((_, i) => Math.floor(i / stride) % size === at);
    const slices = Array.from({ length: size }, (_, at) => sliceOf(at));
    const compare = (a: readonly number[], b: readonly number[]) => {
      const at = a.findIndex((value, i) => value !== b[i]);
      return at < 0 ? 0 : (a[at] ?? 0) < (b[at] ?? 0) ? -1 : 1;
    };
    const groups: number[][] = [];
    const known = new Map<string, number[]>();
    slices.forEach((slice, at) => {
      const group = known.get(slice.join());
      if (group !== undefined) group.push(at);
      else groups.push(known.set(slice.join(), [at]).get(slice.join()) ?? []);
    });
    const first = (group: readonly number[]) => group[0] ?? 0;
    if (intAttribute(context.node, 'sorted', 1) !== 0)
      groups.sort((a, b) => compare(slices[first(a)] ?? [], slices[first(b)] ?? []));
    const inverse = slices.map((_, at) => groups.findIndex((group) => group.includes(at)));
    const data = w.reshape(context.node.inputs[0] ?? '', dims);
    const lists = [groups.map(first), inverse, groups.map((group) => group.length)].map((list) =>
      w.list(list),
    );
    return [w.gather(data, lists[0] ?? '', axis), ...lists];
  },
};
