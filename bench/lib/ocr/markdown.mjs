import { markdownTable } from '../markers.mjs';

/**
 * @typedef {object} OcrResult
 * @property {string} id
 * @property {string} method
 * @property {string} pattern
 * @property {number} sparsity
 * @property {number} exact lines that were read exactly right
 * @property {number} lines
 * @property {number} letterErrors letters to insert, remove or replace in all lines
 * @property {number} letters of all lines
 * @property {number} samples of calibration data
 * @property {number} seconds that pruning took
 * @property {string} commit
 * @property {boolean} changed whether files differed from the commit
 * @property {string} date
 *
 * @typedef {{ machine: { cpu: string, cpus: number }, rows: readonly OcrResult[] }} OcrResults
 */

/** Methods by row, patterns and sparsities by column. @param {OcrResults | undefined} results */
export function ocrMarkdown(results) {
  if (results === undefined || results.rows.length === 0)
    return 'Not measured yet: `npm run bench:ocr-quality -- --json bench/results/ocr-quality.json`.';
  const { rows, machine } = results;
  const pruned = rows.filter(({ sparsity }) => sparsity > 0);
  const columns = [...new Set(pruned.map(columnOf))];
  const methods = [...new Set(pruned.map(({ method }) => method))];
  const cell = (/** @type {string} */ method, /** @type {string} */ column) => {
    const row = pruned.find((one) => one.method === method && columnOf(one) === column);
    return row === undefined ? '' : `${row.exact} (${letterShare(row)})`;
  };
  const dense = rows.find(({ sparsity }) => sparsity === 0);
  const samples = [...new Set(pruned.map((row) => row.samples))].join(' or ');
  const commits = [...new Set(rows.map(({ commit, date }) => `${commit}, ${date.slice(0, 10)}`))].join('; ');
  return [
    markdownTable(
      ['', ...columns],
      methods.map((method) => [method, ...columns.map((column) => cell(method, column))]),
    ),
    '',
    `Lines of ${rows[0]?.lines} that are read exactly right, and in brackets the share of letters that are wrong` +
      `${dense === undefined ? '' : `; the dense network reads ${dense.exact} (${letterShare(dense)})`}. ` +
      `Calibration: ${samples} other lines. ${machine.cpu}, ${machine.cpus} CPUs, commit ${commits}.`,
  ].join('\n');
}

/** @param {OcrResult} row */
function columnOf({ pattern, sparsity }) {
  return `${pattern === 'unstructured' ? '' : `${pattern}, `}${(sparsity * 100).toFixed(0)} %`;
}

/** @param {OcrResult} row */
function letterShare({ letterErrors, letters }) {
  return `${((100 * letterErrors) / letters).toFixed(1)} %`;
}
