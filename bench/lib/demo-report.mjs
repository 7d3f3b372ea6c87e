import Table from 'cli-table3';

/** @import { DemoResult, DemoRow } from '../demo.mjs' */

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;

/** @param {number} ms */
export const milliseconds = (ms) => (ms < 10 ? ms.toFixed(3) : ms.toFixed(1));

/** @param {number} value */
export const times = (value) => `${value.toFixed(2)}x`;

/** The row of a variant. @param {DemoResult} result @param {DemoRow['variant']} variant */
export function rowOf(result, variant) {
  const row = result.rows.find((candidate) => candidate.variant === variant);
  if (row === undefined) throw new Error(`Expected a row "${variant}" of ${result.id}`);
  return row;
}

/** How many times faster than `base` a variant is; below 1 it is slower. @param {DemoRow} row @param {DemoRow} base */
export const speedup = (row, base) => base.timing.p50 / row.timing.p50;

/** One table of everything. @param {readonly DemoResult[]} results */
export function formatTable(results) {
  const table = new Table({
    head: [
      'model',
      'variant',
      'non-zero weights',
      'file',
      'p50 ms',
      'p99 ms',
      'vs espalier dense',
      'vs onnxruntime dense',
      'max error',
    ],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const result of results) {
    const dense = rowOf(result, 'espalier dense');
    const reference = rowOf(result, 'onnxruntime dense');
    for (const row of result.rows) {
      table.push([
        row === result.rows[0] ? `${result.title} [${result.dims.join(', ')}]` : '',
        row.variant,
        megabytes(row.nonZeroBytes),
        megabytes(row.fileBytes),
        milliseconds(row.timing.p50),
        milliseconds(row.timing.p99),
        times(speedup(row, dense)),
        times(speedup(row, reference)),
        row === reference ? '' : `${row.error.toExponential(1)}${row.undetermined.length > 0 ? ' *' : ''}`,
      ]);
    }
  }
  return table.toString();
}

/** What the table shows, losing cases included. @param {readonly DemoResult[]} results @param {number} sparsity */
export function conclude(results, sparsity) {
  const sentences = /** @type {const} */ (['espalier 16x1', 'espalier unstructured']).map((variant) => {
    /** @param {DemoRow['variant']} base */
    const against = (base) => results.map((result) => speedup(rowOf(result, variant), rowOf(result, base)));
    const slower = results
      .filter((_, i) => (against('onnxruntime dense')[i] ?? 0) < 1)
      .map(({ title }) => title);
    const losing = slower.length === 0 ? 'never slower than it' : `slower than it on ${slower.join(', ')}`;
    return (
      `${variant} at ${100 * sparsity} %: ${times(geometricMean(against('espalier dense')))} the speed of espalier dense, ` +
      `${times(geometricMean(against('onnxruntime dense')))} that of onnxruntime dense (geometric means), ${losing}.`
    );
  });
  const undetermined = results.some(({ rows }) => rows.some((row) => row.undetermined.length > 0));
  const note =
    '* Without fine-tuning this output is a saturated sigmoid, or the peaks of a nearly flat map: the last bit decides it, and\n' +
    'onnxruntime returns all zeros or disagrees with itself. What goes into its last step is compared instead.';
  return [
    ...(undetermined ? [note] : []),
    ...sentences,
    'Ratios above 1 are faster. The masks are by magnitude and not fine-tuned, so these copies show speed and correct',
    'arithmetic, not accuracy: a network to use is trained further after it is pruned.',
  ].join('\n');
}

/** @param {readonly number[]} values */
export function geometricMean(values) {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
