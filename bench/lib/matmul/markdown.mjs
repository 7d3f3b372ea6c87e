import { milliseconds, times } from '../demo-report.mjs';
import { describeOrigin, markdownTable } from '../markers.mjs';
import { printShape, printZeros } from './cases.mjs';
import { groupBy } from './rows.mjs';
import { barCells, barColumns, cellColumns, cellLine, layerOf, losingLines } from './tables.mjs';

/** @import { MatmulResults, Row } from './rows.mjs' */
/** @import { ThreadsRow } from './threads.mjs' */

/** What stands where there are no results yet. */
const notRun = (/** @type {string} */ command) => `Not measured yet: \`${command}\`.`;

/** The table of bars. @param {MatmulResults<Row> | undefined} results @param {string} [run] the options that measure it */
export function barsMarkdown(results, run = '--json bench/results/matmul.json') {
  if (results === undefined) return notRun(`npm run bench:matmul -- ${run}`);
  const { complete, machine, rows } = results;
  return [
    markdownTable(barColumns, barCells(rows)),
    '',
    'How many times faster than onnxruntime dense / the bar set for it; ✗ where the bar is missed, ? where nothing was run.',
    `${complete ? '' : 'The run was cut short. '}${describeOrigin(machine)}`,
  ].join('\n');
}

/** Cells that lose, one a line. @param {MatmulResults<Row> | undefined} results */
export function losingMarkdown(results) {
  if (results === undefined) return '';
  const lines = losingLines(results.rows);
  if (lines.length === 0) return 'None.';
  return lines.map((line) => `- ${line}`).join('\n');
}

/** What a call costs. @param {MatmulResults<Row> | undefined} results */
export function callsMarkdown(results) {
  if (results === undefined) return '';
  const { espalier, onnxruntime } = results.callMicroseconds;
  return `${espalier.toFixed(1)} µs for espalier's runSync, ${onnxruntime.toFixed(1)} µs for onnxruntime-node's run.`;
}

/**
 * For each shape a table of ratios, sparsity by pattern and tokens, and every figure of every cell, folded.
 * @param {MatmulResults<Row> | undefined} results
 */
export function cellsMarkdown(results) {
  if (results === undefined) return '';
  return [...groupBy(results.rows, printShape)]
    .map(([shape, rows]) => {
      const groups = [...groupBy(rows, layerOf)].map(
        ([layer, cells]) => `${layer}\n\n${markdownTable(cellColumns, cells.map(cellLine))}`,
      );
      const folded = `<details><summary>every figure</summary>\n\n${groups.join('\n\n')}\n\n</details>`;
      return `### ${shape}\n\n${ratioTable(rows)}\n\n${folded}`;
    })
    .join('\n\n');
}

/** Times the speed of onnxruntime dense, in brackets of espalier dense. @param {readonly Row[]} rows */
function ratioTable(rows) {
  const ours = rows.filter(({ engine }) => engine === 'espalier');
  const tokens = [...new Set(ours.map((row) => row.tokens))];
  const lines = [...groupBy(ours, printZeros)].map(([zeros, cells]) => [
    zeros,
    ...tokens.map((count) => {
      const cell = cells.find((row) => row.tokens === count);
      if (cell?.toOnnxruntime === undefined) return '';
      const own = cell.toDense === undefined ? '' : ` (${times(cell.toDense.median)})`;
      return `${times(cell.toOnnxruntime.median)}${own}`;
    }),
  ]);
  return markdownTable(['', ...tokens.map((count) => `N = ${count}`)], lines);
}

/** Two threads against one. @param {MatmulResults<ThreadsRow> | undefined} results */
export function threadsMarkdown(results) {
  if (results === undefined)
    return notRun('npm run bench:matmul -- --threads 2 --json bench/results/matmul-threads.json');
  const { machine, rows } = results;
  const lines = rows.map((row) => [
    layerOf(row),
    `${row.engine} ${printZeros(row)}`,
    milliseconds(row.p50[0]),
    milliseconds(row.p50[1]),
    times(row.toOneThread.median),
  ]);
  const table = markdownTable(['layer', 'weights', '1 thread, ms', '2 threads, ms', 'speed-up'], lines);
  return `${table}\n\n${describeOrigin(machine)}`;
}

/** The figure, once there is one. @param {MatmulResults<Row> | undefined} results @param {string} path from the document */
export const figureMarkdown = (results, path) =>
  results === undefined ? '' : `![Speed-up over onnxruntime dense by sparsity, for each pattern](${path})`;
