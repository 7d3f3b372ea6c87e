// Writes what README.md says about speed and operators, from bench/results/demo.json and the operator registry, between
// markers such as <!-- bench:demo --> and <!-- /bench:demo -->. Neither is ever typed by hand.
//
//   npm run demo -- --json bench/results/demo.json && node bench/report.mjs
//   node bench/report.mjs --check                      fails when README.md is not what the results say
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { conclude, milliseconds, rowOf, speedup, times } from './lib/demo-report.mjs';

/** @import { DemoResult, DemoRow } from './demo.mjs' */

const readme = new URL('../README.md', import.meta.url);

/**
 * @param {{ sparsity: number, machine: Record<string, unknown>, results: DemoResult[] }} report
 * @returns {string}
 */
function demoTable({ sparsity, machine, results }) {
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
  const { cpu, isa, node, onnxruntime, commit, date } = machine;
  const day = String(date).slice(0, 10);
  lines.push(
    '',
    `Median time of one run, one thread; in brackets how many times faster than onnxruntime dense. ${conclusion}`,
    '',
    `${cpu} (${/** @type {string[]} */ (isa).join(' ')}), Node ${node}, onnxruntime ${onnxruntime}, commit ${commit}, ${day}.`,
  );
  return lines.join('\n');
}

/** Every operator that a model may have, in one line: those of the registry, and those that import replaces. */
async function operatorList() {
  const { operators } = await import('../dist/graph/index.js');
  const { upgrades } = await import('../dist/graph/upgrades.js');
  return [...new Set(['Constant', ...operators.keys(), ...Object.keys(upgrades)])].sort().join(', ');
}

/**
 * The text with the lines between two markers replaced.
 * @param {string} text @param {string} marker @param {string} content
 */
function replaceBetween(text, marker, content) {
  const [open, close] = [`<!-- ${marker} -->\n`, `<!-- /${marker} -->`];
  const start = text.indexOf(open);
  const end = text.indexOf(close);
  if (start < 0 || end < start) throw new Error(`Expected the markers of ${marker} in README.md`);
  return `${text.slice(0, start + open.length)}${content}\n${text.slice(end)}`;
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const demo = JSON.parse(await readFile(new URL('./results/demo.json', import.meta.url), 'utf8'));
const before = await readFile(readme, 'utf8');
const withDemo = replaceBetween(before, 'bench:demo', demoTable(demo));
const after = replaceBetween(withDemo, 'operators', await operatorList());
if (values.check && after !== before) {
  console.error('README.md is not what bench/results and the operators say: run node bench/report.mjs');
  process.exitCode = 1;
} else if (after !== before) {
  await writeFile(readme, after);
}
