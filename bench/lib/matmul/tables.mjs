import Table from 'cli-table3';
import { milliseconds, times } from '../demo-report.mjs';
import { barSparsities, evaluateBars } from './bars.mjs';
import { printPercent, printShape, printZeros } from './cases.mjs';
import { denseGflops, gflops, groupBy, losing, shareOfIdeal } from './rows.mjs';

/** @import { Row } from './rows.mjs' */
/** @import { ThreadsRow } from './threads.mjs' */

/** @param {readonly string[]} head */
const newTable = (head) =>
  new Table({
    head: [...head],
    colAligns: head.map((_, i) => (i === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });

/** `16x1 80 %`, and who ran it where that is not espalier. @param {Row | ThreadsRow} row */
const titleOf = (row) => `${row.engine === 'espalier' ? '' : `${row.engine} `}${printZeros(row)}`;

/** `768 → 3072, N = 64`. @param {{ inputs: number, outputs: number, tokens: number }} row */
export const layerOf = (row) => `${printShape(row)}, N = ${row.tokens}`;

/** Columns of the table of cells. */
export const cellColumns = [
  'weights',
  'format',
  'p50 ms',
  'GFLOP/s',
  'as if dense',
  'vs onnxruntime dense',
  'vs espalier dense',
  'of the ideal',
];

/** One line of the table of cells. @param {Row} row */
export function cellLine(row) {
  const { p50, toOnnxruntime, toDense, format } = row;
  return [
    titleOf(row),
    format ?? '',
    milliseconds(p50),
    gflops(row).toFixed(0),
    denseGflops(row).toFixed(0),
    toOnnxruntime === undefined ? '' : times(toOnnxruntime.median),
    toDense === undefined ? '' : times(toDense.median),
    toDense === undefined ? '' : printPercent(Math.round(100 * shareOfIdeal(row)) / 100),
  ];
}

/** Every cell, one table for each shape and number of tokens. @param {readonly Row[]} rows */
export function formatCells(rows) {
  return [...groupBy(rows, layerOf)]
    .map(([layer, group]) => {
      const table = newTable(cellColumns);
      table.push(...group.map(cellLine));
      return `${layer}\n${table.toString()}`;
    })
    .join('\n\n');
}

/** Measured / bar, with a mark where the bar was missed; empty where there is no bar. @param {readonly Row[]} rows */
export function barCells(rows) {
  return evaluateBars(rows).map(({ title, cells }) => [
    title,
    ...cells.map((cell) => {
      if (cell === undefined) return '';
      const measured =
        cell.measured === undefined ? '?' : cell.measured.toFixed(cell.measured < 9.95 ? 2 : 1);
      return `${measured} / ${cell.bar}${cell.short ? ' ✗' : ''}`;
    }),
  ]);
}

/** Head of the table of bars. */
export const barColumns = [
  '',
  ...barSparsities.map((share) => (share === 0 ? 'dense' : printPercent(share))),
];

/** @param {readonly Row[]} rows */
export function formatBars(rows) {
  const table = newTable(barColumns);
  table.push(...barCells(rows));
  return `Speed-up over onnxruntime dense / bar (geometric means; ✗ missed, ? not run)\n${table.toString()}`;
}

/** One sentence for each losing cell. @param {readonly Row[]} rows */
export const losingLines = (rows) =>
  losing(rows).map((row) => {
    const own = row.toDense === undefined ? '' : `, ${times(row.toDense.median)} espalier dense`;
    return `${layerOf(row)}, ${printZeros(row)}: ${times(row.toOnnxruntime?.median ?? 1)} onnxruntime dense${own}`;
  });

/** @param {readonly ThreadsRow[]} rows */
export function formatThreads(rows) {
  const table = newTable(['layer', 'weights', 'format', '1 thread ms', '2 threads ms', 'speed-up']);
  for (const row of rows) {
    const [one, two] = row.p50;
    const speed = times(row.toOneThread.median);
    table.push([layerOf(row), titleOf(row), row.format ?? '', milliseconds(one), milliseconds(two), speed]);
  }
  return table.toString();
}
