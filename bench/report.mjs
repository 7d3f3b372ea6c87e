// Writes what README.md and docs say about speed and operators, from bench/results and the operator registry, between
// markers such as <!-- bench:demo --> and <!-- /bench:demo -->, and draws the figure. None of it is ever typed by hand.
//
//   npm run demo -- --json bench/results/demo.json && node bench/report.mjs
//   node bench/report.mjs --check                      fails when a file is not what the results say
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { calibrationMarkdown } from './lib/calibration-markdown.mjs';
import { demoMarkdown } from './lib/demo-markdown.mjs';
import { loadMarkdown } from './lib/load/markdown.mjs';
import { replaceBetween } from './lib/markers.mjs';
import { drawFigure } from './lib/matmul/figure.mjs';
import {
  barsMarkdown,
  callsMarkdown,
  cellsMarkdown,
  figureMarkdown,
  losingMarkdown,
  threadsMarkdown,
} from './lib/matmul/markdown.mjs';
import { networksMarkdown } from './lib/networks/tables.mjs';
import { ocrMarkdown } from './lib/ocr/markdown.mjs';
import { permutationAccuracyMarkdown, permutationMarkdown } from './lib/permutation-markdown.mjs';

/** @import { MatmulResults, Row } from './lib/matmul/rows.mjs' */
/** @import { ThreadsRow } from './lib/matmul/threads.mjs' */

const root = new URL('../', import.meta.url);

/** @param {string} path @returns {Promise<any>} undefined when there are no such results */
async function readResults(path) {
  const file = new URL(`bench/results/${path}`, root);
  return existsSync(file) ? JSON.parse(await readFile(file, 'utf8')) : undefined;
}

/** Every operator that a model may have, in one line: those of the registry, and those that import replaces. */
async function operatorList() {
  const { operators } = await import('../dist/graph/index.js');
  const { upgrades } = await import('../dist/graph/upgrades.js');
  const { decompositions } = await import('../dist/graph/decompose/index.js');
  const known = [...operators.keys(), ...Object.keys(upgrades), ...decompositions.keys()];
  return [...new Set(['Constant', 'If', 'Loop', 'Scan', ...known])].sort().join(', ');
}

/** @param {string} path @param {Readonly<Record<string, string>>} sections by marker */
async function fillIn(path, sections) {
  const before = await readFile(new URL(path, root), 'utf8');
  return Object.entries(sections).reduce(
    (text, [marker, content]) => replaceBetween(text, marker, content),
    before,
  );
}

/** What every generated file must hold. @returns {Promise<Map<string, string>>} by path */
async function generate() {
  /** @type {MatmulResults<Row> | undefined} */
  const matmul = await readResults('matmul.json');
  /** @type {MatmulResults<ThreadsRow> | undefined} */
  const threads = await readResults('matmul-threads.json');
  /** @type {MatmulResults<Row> | undefined} */
  const avx2 = await readResults('matmul-avx2.json');
  const figure = 'bench/results/matmul.svg';
  const files = new Map([
    [
      'README.md',
      await fillIn('README.md', {
        'bench:demo': demoMarkdown(await readResults('demo.json')),
        'bench:matmul': barsMarkdown(matmul),
        'bench:matmul:figure': figureMarkdown(matmul, figure),
        operators: await operatorList(),
      }),
    ],
    [
      'docs/matmul.md',
      await fillIn('docs/matmul.md', {
        'bench:matmul': barsMarkdown(matmul),
        'bench:matmul:figure': figureMarkdown(matmul, `../${figure}`),
        'bench:matmul:losing': losingMarkdown(matmul),
        'bench:matmul:calls': callsMarkdown(matmul),
        'bench:matmul:threads': threadsMarkdown(threads),
        'bench:matmul:avx2': barsMarkdown(avx2, '--isa avx2 --json bench/results/matmul-avx2.json'),
        'bench:matmul:cells': cellsMarkdown(matmul),
      }),
    ],
  ]);
  files.set(
    'docs/structured.md',
    await fillIn('docs/structured.md', {
      'bench:permutation': permutationMarkdown(await readResults('permutation.json')),
      'bench:permutation:accuracy': permutationAccuracyMarkdown(
        await readResults('permutation-accuracy.json'),
      ),
    }),
  );
  /** @param {string} family */
  const networks = async (family) => {
    const command = `npm run bench:${family} -- --json bench/results/${family}.json`;
    return networksMarkdown(await readResults(`${family}.json`), command);
  };
  files.set(
    'docs/networks.md',
    await fillIn('docs/networks.md', {
      'bench:conv': await networks('conv'),
      'bench:transformer': await networks('transformer'),
      'bench:policy': await networks('policy'),
    }),
  );
  files.set(
    'docs/esp.md',
    await fillIn('docs/esp.md', { 'bench:load': loadMarkdown(await readResults('load.json')) }),
  );
  files.set(
    'docs/quality.md',
    await fillIn('docs/quality.md', {
      'bench:ocr-quality': ocrMarkdown(await readResults('ocr-quality.json')),
      'bench:calibration': calibrationMarkdown(await readResults('calibration.json')),
    }),
  );
  if (matmul !== undefined) files.set(figure, await drawFigure(matmul.rows));
  return files;
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
for (const [path, wanted] of await generate()) {
  const file = new URL(path, root);
  if (existsSync(file) && (await readFile(file, 'utf8')) === wanted) continue;
  if (values.check) {
    console.error(`${path} is not what bench/results and the operators say: run node bench/report.mjs`);
    process.exitCode = 1;
  } else {
    await writeFile(file, wanted);
  }
}
