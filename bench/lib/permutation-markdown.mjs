/**
 * @typedef {object} PermutationRow
 * @property {string} title of the network
 * @property {string} pattern
 * @property {number} before share of all magnitudes that is kept
 * @property {number} after the same with the channels in a better order
 *
 * @typedef {{ machine: { commit: string, date: string }, sparsity: number, rows: readonly PermutationRow[] }} PermutationResults
 */

/** @param {PermutationResults | undefined} results */
export function permutationMarkdown(results) {
  if (results === undefined)
    return 'Not measured yet: `node bench/permutation.mjs --json bench/results/permutation.json`.';
  const percent = (/** @type {number} */ share) => `${(share * 100).toFixed(1)} %`;
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
