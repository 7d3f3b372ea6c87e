/** @import { PeerName } from '../peer-process.mjs' */
/** @import { Results } from '../results.mjs' */
/** @import { Ratio } from '../rounds.mjs' */
/** @import { Shape, Zeros } from './cases.mjs' */

/**
 * One engine on one linear layer.
 * @typedef {object} Measured
 * @property {'espalier' | 'onnxruntime' | PeerName} engine
 * @property {number} tokens rows of x
 * @property {number} nonZeros weights that are not zero
 * @property {string} [format] how espalier stores the weights
 * @property {string} [reason] why
 * @property {number} error largest error against onnxruntime on the same weights
 * @property {number} p50 milliseconds: median over the rounds of each round's median
 * @property {Ratio} [toOnnxruntime] how many times faster than onnxruntime dense
 * @property {Ratio} [toDense] how many times faster than espalier dense
 *
 * @typedef {Measured & Shape & Zeros} Row
 */

/**
 * What a run of bench/matmul.mjs leaves behind.
 * @template R
 * @typedef {Results<R> & MatmulExtras} MatmulResults
 */

/**
 * @typedef {object} MatmulExtras
 * @property {readonly string[]} missingPeers native engines that could not be had
 * @property {{ espalier: number, onnxruntime: number }} callMicroseconds
 */

/** Where on a line "slower" begins: below this share of the other's speed it is more than noise. */
const slack = 0.97;

/** GFLOP/s of the work that the weights that are not zero need. @param {Row} row */
export const gflops = ({ tokens, nonZeros, p50 }) => (2e-6 * tokens * nonZeros) / p50;

/** GFLOP/s that a dense engine would need to be as fast. @param {Row} row */
export const denseGflops = ({ tokens, inputs, outputs, p50 }) => (2e-6 * tokens * inputs * outputs) / p50;

/** Share of the ideal speed-up over espalier dense, 1 / (1 - sparsity). @param {Row} row */
export const shareOfIdeal = ({ toDense, sparsity }) => (toDense?.median ?? 1) * (1 - sparsity);

/** espalier's rows that are slower than onnxruntime dense, or by more than 3 % slower than espalier dense. @param {readonly Row[]} rows */
export const losing = (rows) =>
  rows.filter(
    ({ engine, toOnnxruntime, toDense }) =>
      engine === 'espalier' && ((toOnnxruntime?.median ?? 1) < 1 || (toDense?.median ?? 1) < slack),
  );

/**
 * The rows in groups of equal keys, in the order in which the keys first come.
 * @template T
 * @param {readonly T[]} rows @param {(row: T) => string} keyOf
 */
export function groupBy(rows, keyOf) {
  /** @type {Map<string, T[]>} */
  const groups = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}
