import { geometricMean } from '../demo-report.mjs';
import { isBarShape } from './cases.mjs';

/** @import { Pattern } from './cases.mjs' */
/** @import { Row } from './rows.mjs' */

/**
 * What espalier must reach: how many times faster than onnxruntime dense, as the geometric mean over the bar shapes,
 * the patterns and the numbers of tokens of a line.
 * @typedef {object} BarLine
 * @property {string} title
 * @property {readonly Pattern[]} patterns
 * @property {readonly number[]} tokens
 * @property {Readonly<Record<string, number>>} bars by sparsity; 0 is dense
 */

/** @type {readonly BarLine[]} */
export const barLines = [
  {
    title: '16x1 and 4x1 blocks, N = 64 and 256',
    patterns: ['16x1', '4x1'],
    tokens: [64, 256],
    bars: { 0: 1.1, 0.5: 2.2, 0.7: 3.6, 0.8: 5.3, 0.9: 10, 0.95: 17 },
  },
  {
    title: 'unstructured, N = 64 and 256',
    patterns: ['unstructured'],
    tokens: [64, 256],
    bars: { 0.5: 1.3, 0.7: 2.3, 0.8: 3.4, 0.9: 6.3, 0.95: 10 },
  },
  {
    title: '16x1 blocks, N = 1',
    patterns: ['16x1'],
    tokens: [1],
    bars: { 0: 1.0, 0.5: 2, 0.7: 4, 0.8: 7, 0.9: 15, 0.95: 24 },
  },
  {
    title: '4x1 blocks, N = 1',
    patterns: ['4x1'],
    tokens: [1],
    bars: { 0.5: 1.7, 0.7: 3.3, 0.8: 5.5, 0.9: 11, 0.95: 18 },
  },
  {
    title: 'unstructured, N = 1',
    patterns: ['unstructured'],
    tokens: [1],
    bars: { 0.5: 1.3, 0.7: 2.2, 0.8: 3.2, 0.9: 6.5, 0.95: 11 },
  },
];

/** Columns of the table of bars. */
export const barSparsities = [0, 0.5, 0.7, 0.8, 0.9, 0.95];

/**
 * espalier's rows on the bar shapes for these patterns (at sparsity 0: dense) and numbers of tokens.
 * @param {readonly Row[]} rows
 * @param {{ patterns: readonly string[], tokens: readonly number[], sparsity: number }} wanted
 */
export function barRows(rows, { patterns, tokens, sparsity }) {
  const accepted = sparsity === 0 ? ['dense'] : patterns;
  return rows.filter(
    (row) =>
      row.engine === 'espalier' &&
      isBarShape(row) &&
      row.sparsity === sparsity &&
      accepted.includes(row.pattern) &&
      tokens.includes(row.tokens),
  );
}

/** Geometric mean of the speed-up over onnxruntime dense; NaN for no rows. @param {readonly Row[]} rows */
export const meanSpeedup = (rows) =>
  geometricMean(rows.map(({ toOnnxruntime }) => toOnnxruntime?.median ?? Number.NaN));

/**
 * Every bar with what was measured, line by line; undefined where there is no bar.
 * @param {readonly Row[]} rows
 */
export function evaluateBars(rows) {
  return barLines.map(({ title, patterns, tokens, bars }) => ({
    title,
    cells: barSparsities.map((sparsity) => {
      const bar = bars[sparsity];
      if (bar === undefined) return undefined;
      const found = barRows(rows, { patterns, tokens, sparsity });
      const measured = found.length === 0 ? undefined : meanSpeedup(found);
      return { bar, measured, short: measured !== undefined && measured < bar };
    }),
  }));
}
