// How long a large model takes from nothing to its first output, and what memory its weights take: espalier on compiled
// models, 90 % of whose weights were removed, against onnxruntime on the dense ONNX. The network is ViT-B/16 with random
// weights, 346 MB when dense. Each trial is a process of its own; engines take turns; files are in the page cache.
//
//   npm run bench:load -- --json bench/results/load.json && node bench/report.mjs
import { mkdirSync } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compileModel } from '../dist/esp/index.js';
import { exportOnnx } from '../dist/formats/onnx/index.js';
import { vit } from '../dist/networks/index.js';
import { loadMarkdown } from './lib/load/markdown.mjs';
import { tryLoading } from './lib/load/trial.mjs';
import { describeMachine } from './lib/machine.mjs';
import { writePruned } from './lib/pruned.mjs';
import { makeScratch } from './lib/scratch.mjs';
import { quantile } from './lib/timing.mjs';

/** @import { LoadTrial } from './lib/load/trial.mjs' */
/** @import { LoadRow } from './lib/load/markdown.mjs' */

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    trials: { type: 'string', default: '9' },
    sparsity: { type: 'string', default: '0.9' },
    depth: { type: 'string', default: '12' },
    folder: { type: 'string' },
  },
});
const sparsity = Number(values.sparsity);
const scratch = values.folder ?? makeScratch('espalier-load');
mkdirSync(scratch, { recursive: true });
const file = (/** @type {string} */ name) => join(scratch, name);

/** Largest difference of two outputs, over the largest value. @param {LoadTrial} a @param {LoadTrial} b */
function differenceOf(a, b) {
  const largest = Math.max(...b.output.map(Math.abs));
  return Math.max(...b.output.map((value, i) => Math.abs(value - (a.output[i] ?? Number.NaN)))) / largest;
}

console.error('building the network');
const dense = vit({ width: 768, heads: 12, depth: Number(values.depth) });
const denseFile = file('dense.onnx');
await writeFile(denseFile, exportOnnx(dense));

/** @type {{ name: string, engine: 'espalier' | 'onnxruntime', model: string }[]} */
const contestants = [{ name: 'onnxruntime, dense ONNX', engine: 'onnxruntime', model: denseFile }];
for (const pattern of /** @type {const} */ (['16x1', 'unstructured'])) {
  console.error(`pruning and compiling ${pattern}`);
  const [pruned, compiled] = [file(`${pattern}.onnx`), file(`${pattern}.esp`)];
  const graph = await writePruned(dense, { sparsity, pattern, path: pruned });
  await writeFile(compiled, compileModel(graph).parts);
  const reference = await tryLoading({ engine: 'onnxruntime', model: pruned });
  const difference = differenceOf(await tryLoading({ engine: 'espalier', model: compiled }), reference);
  if (!(difference <= 1e-4))
    throw new Error(`Expected the outputs of ${pattern} to agree, got ${difference}`);
  await rm(pruned);
  contestants.push({ name: `espalier, ${pattern} .esp`, engine: 'espalier', model: compiled });
}

/** @type {Map<string, LoadTrial[]>} */
const trials = new Map(contestants.map(({ name }) => [name, []]));
for (let trial = 0; trial < Number(values.trials); trial++) {
  for (const { name, engine, model } of trial % 2 === 0 ? contestants : contestants.toReversed())
    trials.get(name)?.push(await tryLoading({ engine, model }));
}

/** @param {string} name @param {(trial: LoadTrial) => number} of */
const median = (name, of) => quantile(Float64Array.from(trials.get(name) ?? [], of), 0.5);
/** @type {LoadRow[]} */
const rows = [];
for (const { name, engine, model } of contestants) {
  rows.push({
    name,
    engine,
    fileBytes: (await stat(model)).size,
    createMilliseconds: median(name, ({ created }) => created),
    firstOutputMilliseconds: median(name, ({ created, ran }) => created + ran),
    fromStartMilliseconds: median(name, ({ fromStart }) => fromStart),
    secondRunMilliseconds: median(name, ({ again }) => again),
    residentBytes: median(name, ({ resident }) => resident),
    mappedResidentBytes: median(name, ({ mappedResident }) => mappedResident),
    mappedShareBytes: median(name, ({ mappedShare }) => mappedShare),
  });
}
const denseBytes = [...dense.constants.values()].reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
const results = { machine: describeMachine(), sparsity, denseBytes, trials: Number(values.trials), rows };
console.log(loadMarkdown(results));
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`);
