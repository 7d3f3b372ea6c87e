/**
 * @typedef {object} PermutationRow
 * @property {string} title of the network
 * @property {string} pattern
 * @property {number} before share of all magnitudes that is kept
 * @property {number} after the same with the channels in a better order
 *
 * @typedef {{ machine: { commit: string, date: string }, sparsity: number, rows: readonly PermutationRow[] }} PermutationResults
 */

const percent = (/** @type {number} */ share) => `${(share * 100).toFixed(1)} %`;

/** @param {PermutationResults | undefined} results */
export function permutationMarkdown(results) {
  if (results === undefined)
    return 'Not measured yet: `node bench/permutation.mjs --json bench/results/permutation.json`.';
  const lines = results.rows.map(
    ({ title, pattern, before, after }) =>
      `| ${title} | ${pattern} | ${percent(before)} | ${percent(after)} | ${percent(after / before - 1)} |`,
  );
  const { commit, date } = results.machine;
  return [
    '| network | pattern | kept as it is | kept in the order found | more by |',
    '|---|---|--:|--:|--:|',
    ...lines,
    '',
    `Share of the sum of all magnitudes that is kept at ${percent(results.sparsity)}; commit ${commit}, ${date.slice(0, 10)}.`,
  ].join('\n');
}

/**
 * @typedef {{ before: number, after: number }} Pair
 * @typedef {{ pattern: string, kept: Pair, accuracy: Pair }} AccuracyRow
 *
 * @typedef {object} AccuracyResults
 * @property {{ commit: string, date: string }} machine
 * @property {number} sparsity
 * @property {number} dense accuracy of the network as it was trained
 * @property {readonly AccuracyRow[]} rows
 */

/** @param {AccuracyResults | undefined} results */
export function permutationAccuracyMarkdown(results) {
  if (results === undefined)
    return 'Not measured yet: `node bench/permutation-accuracy.mjs --json bench/results/permutation-accuracy.json`.';
  const { machine, sparsity, dense, rows } = results;
  return [
    '| pattern | kept as it is | kept in the order found | more by | right as it is | right in the order found |',
    '|---|--:|--:|--:|--:|--:|',
    ...rows.map(
      ({ pattern, kept, accuracy }) =>
        `| ${pattern} | ${percent(kept.before)} | ${percent(kept.after)} | ${percent(kept.after / kept.before - 1)} ` +
        `| ${percent(accuracy.before)} | ${percent(accuracy.after)} |`,
    ),
    '',
    `A perceptron trained on Fashion-MNIST, ${percent(dense)} of its test images right; pruned to ${percent(sparsity)} by ` +
      `magnitude, nothing fitted after; commit ${machine.commit}, ${machine.date.slice(0, 10)}.`,
  ].join('\n');
}
