import { describeOrigin, markdownTable } from '../markers.mjs';

/**
 * Medians over the trials of one contestant.
 * @typedef {object} LoadRow
 * @property {string} name
 * @property {string} engine
 * @property {number} fileBytes
 * @property {number} createMilliseconds
 * @property {number} firstOutputMilliseconds from before the session is created to the first output
 * @property {number} fromStartMilliseconds the same from the start of the process
 * @property {number} secondRunMilliseconds
 * @property {number} residentBytes
 * @property {number} mappedResidentBytes
 * @property {number} mappedShareBytes
 *
 * @typedef {{ machine: Record<string, unknown>, sparsity: number, denseBytes: number, trials: number,
 *   rows: readonly LoadRow[] }} LoadResults
 */

/** @param {LoadResults | undefined} results */
export function loadMarkdown(results) {
  if (results === undefined)
    return 'Not measured yet: `npm run bench:load -- --json bench/results/load.json`.';
  const { machine, sparsity, denseBytes, trials, rows } = results;
  const base = rows.find(({ engine }) => engine === 'onnxruntime');
  const megabytes = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  const milliseconds = (/** @type {number} */ time) => `${time.toFixed(0)} ms`;
  const head = [
    '',
    'file',
    'session',
    'first output',
    'from process start',
    'second run',
    'memory',
    'of the mapping',
  ];
  const lines = rows.map((row) => {
    const timed = (/** @type {'firstOutputMilliseconds' | 'fromStartMilliseconds'} */ key) => {
      const ratio = base === undefined || row === base ? '' : ` (${(base[key] / row[key]).toFixed(1)}x)`;
      return `${milliseconds(row[key])}${ratio}`;
    };
    return [
      row.name,
      megabytes(row.fileBytes),
      milliseconds(row.createMilliseconds),
      timed('firstOutputMilliseconds'),
      timed('fromStartMilliseconds'),
      milliseconds(row.secondRunMilliseconds),
      megabytes(row.residentBytes),
      row.mappedResidentBytes === 0 ? '' : megabytes(row.mappedResidentBytes),
    ];
  });
  return [
    markdownTable(head, lines),
    '',
    `ViT-B/16 with random weights, ${megabytes(denseBytes)} when dense, ${(sparsity * 100).toFixed(0)} % of the weights`,
    `of its layers removed; one thread, files in the page cache, medians of ${trials} processes each. First output: from`,
    'before the session is created. Memory: what the process grew by until then, activations included; of the mapping:',
    `pages of the file in that. ${describeOrigin(machine)}`,
  ].join('\n');
}
