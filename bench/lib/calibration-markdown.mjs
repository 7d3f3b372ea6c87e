import { markdownTable } from './markers.mjs';

/**
 * @typedef {object} CalibrationRow
 * @property {string} name
 * @property {number} seconds
 * @property {number} cpuSeconds of all threads
 * @property {number} modelBytes of all constants
 * @property {number} peakBytes the most memory of the process, less what it had before without the model
 *
 * @typedef {{ machine: { cpu: string, commit: string, date: string }, threads: number, rows: readonly CalibrationRow[] }} CalibrationResults
 */

/** @param {CalibrationResults | undefined} results */
export function calibrationMarkdown(results) {
  if (results === undefined)
    return 'Not measured yet: `npm run bench:calibration -- --json bench/results/calibration.json`.';
  const megabytes = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
  const { machine, threads, rows } = results;
  return [
    markdownTable(
      ['', 'time', 'time of CPUs', 'model', 'peak memory'],
      rows.map(({ name, seconds, cpuSeconds, modelBytes, peakBytes }) => [
        name,
        `${seconds.toFixed(1)} s`,
        `${cpuSeconds.toFixed(1)} s`,
        megabytes(modelBytes),
        `${megabytes(peakBytes)} (${(peakBytes / modelBytes).toFixed(1)}x)`,
      ]),
    ),
    '',
    `At 50 %, ${threads} threads; layers [outputs x inputs] with 2,048 rows, ViT-S/16 with 16 images. Peak memory counts the ` +
      `model and all that pruning adds. ${machine.cpu}, commit ${machine.commit}, ${machine.date.slice(0, 10)}.`,
  ].join('\n');
}
