import { conclude, milliseconds, rowOf, speedup, times } from './demo-report.mjs';
import { describeOrigin } from './markers.mjs';

/** @import { DemoResult, DemoRow } from '../demo.mjs' */

/**
 * The table of the demo and what it shows.
 * @param {{ sparsity: number, machine: Record<string, unknown>, results: DemoResult[] }} report
 * @returns {string}
 */
export function demoMarkdown({ sparsity, machine, results }) {
  const percent = `${100 * sparsity} %`;
  const lines = [
    `| network | onnxruntime dense | espalier dense | espalier ${percent} 16x1 | espalier ${percent} unstructured | largest error |`,
    '|---|--:|--:|--:|--:|--:|',
  ];
  for (const result of results) {
    const reference = rowOf(result, 'onnxruntime dense');
    /** @param {DemoRow['variant']} variant */
    const cell = (variant) => {
      const row = rowOf(result, variant);
      return `${milliseconds(row.timing.p50)} ms (${times(speedup(row, reference))})`;
    };
    const star = result.rows.some((row) => row.undetermined.length > 0) ? ' \\*' : '';
    const error = `${Math.max(...result.rows.map((row) => row.error)).toExponential(0)}${star}`;
    const cells = [
      `${result.title}, ${result.task}`,
      `${milliseconds(reference.timing.p50)} ms`,
      cell('espalier dense'),
      cell('espalier 16x1'),
      cell('espalier unstructured'),
      error,
    ];
    lines.push(`| ${cells.join(' | ')} |`);
  }
  const conclusion = conclude(results, sparsity).replaceAll('\n', ' ').replace('* ', '\\* ');
  lines.push(
    '',
    `Median time of one run, one thread; in brackets how many times faster than onnxruntime dense. ${conclusion}`,
    '',
    describeOrigin(machine),
  );
  return lines.join('\n');
}
