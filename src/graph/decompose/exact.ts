import { readNumbers } from '../data.js';
import type { TensorData } from '../graph.js';
import type { Words } from './definition.js';

/** float32 holds every whole number up to here, so sums that stay below are exact in any order. */
const exactBelow = 2 ** 24;

/** Largest difference of an 8-bit number and a zero point. */
const largest8Bit = 255;

/** Of each of two parts of such a number, which are multiplied apart: x = 16 high + low. */
const half = 16;

/**
 * An integer product, in int32, by products of float32, whose kernels are many times faster and lose nothing here.
 * @param x whole numbers of at most 255, in float32
 * @param most the largest sum of absolute weights that an element of the product adds up
 * @param multiply the product of float32 values and the weights
 * @returns undefined where float32 might round
 */
export function exactProduct(
  w: Words,
  x: string,
  most: number,
  multiply: (x: string) => string,
): string | undefined {
  if (most * largest8Bit < exactBelow) return w.cast(multiply(x), 'int32');
  if (most * half >= exactBelow) return undefined;
  const high = w.op('Floor', [w.mul(x, w.scalar(1 / half, x))]);
  const low = w.sub(x, w.mul(high, w.scalar(half, x)));
  const [upper, lower] = [high, low].map((part) => w.cast(multiply(part), 'int32')) as [string, string];
  return w.add(w.mul(upper, w.scalar(half, upper)), lower);
}

/**
 * Weights less their zero points as numbers, and the largest sum of absolute ones for one output.
 * @param lines outputs before, inputs, and outputs behind: the weights are [before, inputs, behind]
 * @param zeroAt the zero point's index for an output
 */
export function centeredWeights(
  weight: TensorData,
  zero: TensorData | undefined,
  lines: readonly [before: number, inputs: number, behind: number],
): { readonly values: number[]; readonly most: number } {
  const values = readNumbers(weight);
  const zeros = zero === undefined ? [0] : readNumbers(zero);
  const [before, inputs, behind] = lines;
  const sums = new Float64Array(before * behind);
  for (let i = 0; i < values.length; i++) {
    const output = Math.floor(i / (inputs * behind)) * behind + (i % behind);
    const value = (values[i] ?? 0) - (zeros[zeros.length === 1 ? 0 : output % zeros.length] ?? 0);
    values[i] = value;
    sums[output] = (sums[output] ?? 0) + Math.abs(value);
  }
  return { values, most: sums.reduce((a, b) => Math.max(a, b), 0) };
}
