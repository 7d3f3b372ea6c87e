/** @import { Values } from './engines.mjs' */

/** What every output must stay within, measured by {@link largestError}. */
export const tolerance = 1e-4;

/**
 * The largest error over all outputs: max |actual - expected| / max |expected|. Infinity when an output is missing,
 * has other dims, or is not a number where it should be.
 * @param {Readonly<Record<string, Values>>} expected
 * @param {Readonly<Record<string, Values>>} actual
 */
export function largestError(expected, actual) {
  const names = Object.keys(expected);
  if (names.length === 0) throw new Error('Expected outputs to compare with, got none');
  return Math.max(...names.map((name) => errorOf(expected[name], actual[name])));
}

/**
 * max |actual - expected| / max |expected|, or Infinity as above.
 * @param {Values | undefined} expected @param {Values | undefined} actual
 */
export function errorOf(expected, actual) {
  if (expected === undefined || actual === undefined) return Number.POSITIVE_INFINITY;
  if (expected.dims.join() !== actual.dims.join()) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let scale = 0;
  for (const [i, wanted] of expected.data.entries()) {
    const distance = Math.abs(wanted - (actual.data[i] ?? Number.NaN));
    if (Number.isNaN(distance)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, distance);
    scale = Math.max(scale, Math.abs(wanted));
  }
  return difference === 0 ? 0 : difference / scale;
}
