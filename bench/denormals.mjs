// Do denormal weights slow a run? Times each network as it is, with every removed weight denormal, and with all weights
// denormal, on espalier and onnxruntime. A processor that handles denormals in microcode takes many times as long.
//
//   node bench/denormals.mjs [--models ocr-rec] [--json bench/results/denormals.json]
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { exportOnnx, readOnnx } from '../dist/formats/onnx/index.js';
import { applyPruning, planPruning } from '../dist/prune/index.js';
import { milliseconds, times } from './lib/demo-report.mjs';
import { fillZeros, scaleWeights } from './lib/denormals.mjs';
import { makeImage } from './lib/image.mjs';
import { describeMachine } from './lib/machine.mjs';
import { modelPath, selectModels } from './lib/models.mjs';
import { startEngine, timeAlternating } from './lib/timing.mjs';

/** @import { BenchModel } from './lib/models.mjs' */

const engines = /** @type {const} */ (['espalier', 'onnxruntime']);

/**
 * @param {BenchModel} model
 * @param {string} directory
 */
async function runModel(model, directory) {
  const graph = await readOnnx(modelPath(model));
  const pruned = applyPruning(graph, planPruning(graph, { sparsity: 0.8, pattern: 'unstructured' }));
  const variants = [
    { weights: 'as trained', graph },
    { weights: '80 % denormal', graph: fillZeros(pruned, 1e-40) },
    { weights: 'all denormal', graph: scaleWeights(graph, 1e-40) },
  ];
  const feeds = { [model.input]: makeImage(model, model.dims) };
  const running = [];
  const rows = [];
  try {
    for (const [i, variant] of variants.entries()) {
      const path = join(directory, `${model.id}-${i}.onnx`);
      await writeFile(path, exportOnnx(variant.graph));
      for (const engine of engines) {
        running.push(await startEngine({ engine, model: path }, feeds));
        rows.push({ weights: variant.weights, engine });
      }
    }
    const timings = await timeAlternating(running, { rounds: 5, milliseconds: 200 });
    return rows.map((row, i) => ({ model: model.id, ...row, p50: timings[i]?.p50 ?? Number.NaN }));
  } finally {
    await Promise.all(running.map((engine) => engine.stop()));
  }
}

const { values } = parseArgs({ options: { models: { type: 'string' }, json: { type: 'string' } } });
const directory = await mkdtemp(join(tmpdir(), 'espalier-denormals-'));
try {
  const results = [];
  for (const model of selectModels(values.models?.split(',') ?? ['ocr-rec', 'ocr-cls', 'blazeface-front'])) {
    results.push(...(await runModel(model, directory)));
  }
  const table = new Table({
    head: ['model', 'weights', 'engine', 'p50 ms', 'time / as trained'],
    style: { head: [] },
  });
  for (const row of results) {
    const base = results.find(({ model, engine }) => model === row.model && engine === row.engine);
    table.push([
      row.model,
      row.weights,
      row.engine,
      milliseconds(row.p50),
      times(row.p50 / (base?.p50 ?? Number.NaN)),
    ]);
  }
  console.log(table.toString());
  if (values.json !== undefined) {
    const report = { bench: 'denormals', machine: describeMachine(), results };
    await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
