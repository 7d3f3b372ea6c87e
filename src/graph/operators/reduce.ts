import { elementCount } from '../../tensor.js';
import { intAttribute } from '../attributes.js';
import { createElements, readElements, toBytes } from '../data.js';
import type { OperatorContext, OperatorDefinition, OperatorFamily, TypeAndDims } from './definition.js';
import { rowMajorStrides, walk } from './strided.js';
import { largerWide, smallerWide } from './wide.js';

/** How a reduction folds elements: in double precision, or in BigInts for 64-bit integers. */
interface Fold {
  /** Result for no elements; none for Max and Min, which then have no result. */
  readonly start?: number;
  readonly add: (sum: number, x: number) => number;
  readonly addWide: (sum: bigint, x: bigint) => bigint;
  readonly finish?: (sum: number, count: number) => number;
  readonly finishWide?: (sum: bigint, count: bigint) => bigint;
}

function reduction(fold: Fold): OperatorDefinition {
  return {
    infer: (context) => {
      const { type, dims } = context.input(0);
      const axes = reducedAxes(context);
      const keep = intAttribute(context.node, 'keepdims', 1) !== 0;
      if (fold.start === undefined && elementCount(dims) === 0 && axes.some((axis) => dims[axis] === 0)) {
        throw context.shapeError('nothing to reduce');
      }
      const kept = dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
      return [{ type, dims: keep ? kept : dims.filter((_, axis) => !axes.includes(axis)) }];
    },
    isIdentity: (context) => reducedAxes(context).length === 0 && isPlain(fold),
    evaluate: (context, [output]) => {
      const { type, dims: outputDims } = output as TypeAndDims;
      const dims = context.dims(0);
      const axes = reducedAxes(context);
      const kept = rowMajorStrides(dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim)));
      const strides = kept.map((stride, axis) => (axes.includes(axis) ? 0 : stride));
      const count = axes.reduce((product, axis) => product * (dims[axis] ?? 1), 1);
      const source = readElements(context.known(0));
      const target = createElements(type, elementCount(outputDims));
      if (source instanceof BigInt64Array || source instanceof BigUint64Array) {
        const sums = new Array<bigint | undefined>(target.length).fill(start(fold, BigInt));
        walk(dims, [strides], (position, [at = 0]) => {
          const x = source[position] ?? 0n;
          const sum = sums[at];
          sums[at] = sum === undefined ? x : fold.addWide(sum, x);
        });
        for (const [i, sum = 0n] of sums.entries()) {
          (target as BigInt64Array)[i] = fold.finishWide ? fold.finishWide(sum, BigInt(count)) : sum;
        }
      } else {
        const sums = new Array<number | undefined>(target.length).fill(start(fold, Number));
        walk(dims, [strides], (position, [at = 0]) => {
          const x = source[position] ?? 0;
          const sum = sums[at];
          sums[at] = sum === undefined ? x : fold.add(sum, x);
        });
        for (const [i, sum = 0] of sums.entries()) {
          (target as Float64Array)[i] = fold.finish ? fold.finish(sum, count) : sum;
        }
      }
      return [toBytes(type, target)];
    },
  };
}

function start<T>(fold: Fold, convert: (value: number) => T): T | undefined {
  return fold.start === undefined ? undefined : convert(fold.start);
}

/** Whether the fold of a single element is that element. */
function isPlain(fold: Fold): boolean {
  return [-3, 2].every((x) => {
    const sum = fold.start === undefined ? x : fold.add(fold.start, x);
    return (fold.finish ? fold.finish(sum, 1) : sum) === x;
  });
}

function reducedAxes(context: OperatorContext): number[] {
  const rank = context.dims(0).length;
  const axes = context.has(1) ? context.numbers(1) : [];
  if (axes.length > 0) return context.normalizeAxes(axes, rank);
  const none = intAttribute(context.node, 'noop_with_empty_axes', 0) !== 0;
  return none ? [] : Array.from({ length: rank }, (_, axis) => axis);
}

const absolute = (x: bigint) => (x < 0n ? -x : x);

export const reductions: OperatorFamily = {
  ReduceSum: reduction({ start: 0, add: (sum, x) => sum + x, addWide: (sum, x) => sum + x }),
  ReduceMean: reduction({
    start: 0,
    add: (sum, x) => sum + x,
    addWide: (sum, x) => sum + x,
    finish: (sum, count) => sum / count,
    finishWide: (sum, count) => (count === 0n ? 0n : sum / count),
  }),
  ReduceMax: reduction({ add: Math.max, addWide: largerWide }),
  ReduceMin: reduction({ add: Math.min, addWide: smallerWide }),
  ReduceProd: reduction({ start: 1, add: (product, x) => product * x, addWide: (product, x) => product * x }),
  ReduceSumSquare: reduction({ start: 0, add: (sum, x) => sum + x * x, addWide: (sum, x) => sum + x * x }),
  ReduceL1: reduction({
    start: 0,
    add: (sum, x) => sum + Math.abs(x),
    addWide: (sum, x) => sum + absolute(x),
  }),
  ReduceL2: reduction({
    start: 0,
    add: (sum, x) => sum + x * x,
    addWide: (sum, x) => sum + x * x,
    finish: Math.sqrt,
    finishWide: (sum) => BigInt(Math.trunc(Math.sqrt(Number(sum)))),
  }),
};
