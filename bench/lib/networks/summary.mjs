import { geometricMean } from '../demo-report.mjs';
import { groupBy } from '../matmul/rows.mjs';

/** @import { NetworkRow } from './group.mjs' */

/**
 * A network on some number of threads: onnxruntime dense, and espalier by variant.
 * @typedef {object} NetworkSummary
 * @property {string} network
 * @property {string} title
 * @property {number} threads
 * @property {NetworkRow} reference
 * @property {readonly NetworkRow[]} variants dense first
 */

/** @param {readonly NetworkRow[]} rows @returns {NetworkSummary[]} */
export function summarizeNetworks(rows) {
  return [...groupBy(rows, ({ network, threads }) => `${network} ${threads}`).values()].map((group) => {
    const reference = group.find(({ engine }) => engine === 'onnxruntime');
    if (reference === undefined) throw new Error('Expected a row of onnxruntime');
    const { network, title, threads } = reference;
    return { network, title, threads, reference, variants: group.filter((row) => row !== reference) };
  });
}

/** How many times faster than onnxruntime dense. @param {NetworkRow} row */
export const toOnnxruntime = (row) => row.toOnnxruntime?.median ?? Number.NaN;

/**
 * How much of what the multiply-adds promise the time keeps: 1 when time falls as they do. Of channel-pruned variants.
 * @param {NetworkRow} row @param {NetworkRow} dense
 */
export const keptOfPromise = (row, dense) =>
  (row.toDense?.median ?? Number.NaN) / (dense.multiplyAdds / row.multiplyAdds);

/** Whether a variant has fewer multiply-adds and not only zeros. @param {NetworkRow} row */
export const isChannelPruned = ({ variant }) => variant.startsWith('channels');

/** The geometric mean over networks of each variant's ratio to onnxruntime dense. @param {readonly NetworkSummary[]} summaries */
export function meanByVariant(summaries) {
  const rows = summaries.flatMap(({ variants }) => variants);
  return [...groupBy(rows, ({ variant }) => variant)].map(([variant, cells]) => ({
    variant,
    mean: geometricMean(cells.map(toOnnxruntime)),
  }));
}
