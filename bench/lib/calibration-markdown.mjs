import { markdownTable } from './markers.mjs';

/**
 * @typedef {object} CalibrationRow
 * @property {string} name
 * @property {number} seconds
 * @property {number} cpuSeconds of all threads
 * @property {number} modelBytes of all constants
 * @property {number} [hessianBytes] of the layer with most inputs, in float64
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
      ['', 'time', 'time of CPUs', 'model', 'largest Hessian', 'peak memory', 'of 3 models and a Hessian'],
      rows.map(({ name, seconds, cpuSeconds, modelBytes, hessianBytes, peakBytes }) => [
        name,
        `${seconds.toFixed(1)} s`,
        `${cpuSeconds.toFixed(1)} s`,
        megabytes(modelBytes),
        hessianBytes === undefined ? '' : megabytes(hessianBytes),
        `${megabytes(peakBytes)} (${(peakBytes / modelBytes).toFixed(1)}x)`,
        hessianBytes === undefined
          ? ''
          : `${((100 * peakBytes) / (3 * modelBytes + hessianBytes)).toFixed(0)} %`,
      ]),
    ),
    '',
    `At 50 %, ${threads} threads; layers [outputs x inputs] with 2,048 rows, networks with 16 images of 224 x 224, ResNet-50 with 4,096 rows a layer. Peak memory counts the ` +
      `model and all that pruning adds. ${machine.cpu}, commit ${machine.commit}, ${machine.date.slice(0, 10)}.`,
  ].join('\n');
}
