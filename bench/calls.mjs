// What a call costs a JavaScript caller: runSync and run (a promise) on small policies, linear layers and one small
// network, in one process, one thread. The arithmetic of a policy takes microseconds, so what is left is the way in and
// out, and zeros can save no more than the rest.
//
//   npm run bench:calls [-- --json bench/results/calls.json]
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import Benchmark from 'benchmark';
import Table from 'cli-table3';
import { exportOnnx } from '../dist/formats/onnx/index.js';
import { InferenceSession, Tensor } from '../dist/index.js';
import { mlpPolicy } from '../dist/networks/index.js';
import { applyPruning, planPruning } from '../dist/prune/index.js';
import { describeMachine } from './lib/machine.mjs';
import { makeModel, randomValues } from './lib/matmul/weights.mjs';
import { modelPath, selectModels } from './lib/models.mjs';

/** @import { Graph } from '../dist/graph/graph.js' */

/** @param {string | Uint8Array} model @param {readonly number[]} dims */
async function open(model, dims) {
  const session = await InferenceSession.create(model, { threads: 1 });
  const count = dims.reduce((product, dim) => product * dim, 1);
  const data = new Float32Array(count).map((_, i) => Math.sin(i));
  return { session, feeds: { [session.inputNames[0] ?? '']: new Tensor('float32', data, dims) } };
}

/**
 * Seconds of one call, by benchmark.js: the mean of as many samples as it takes.
 * @param {string} name
 * @param {{ fn: Function, defer?: boolean }} options
 * @returns {Promise<{ microseconds: number, error: number }>}
 */
function measure(name, options) {
  return new Promise((resolve, reject) => {
    const bench = new Benchmark(name, { ...options, maxTime: 2, minSamples: 20 });
    bench.on('complete', () => {
      const { mean, rme } = bench.stats;
      resolve({ microseconds: mean * 1e6, error: rme / 100 });
    });
    bench.on('error', () => reject(/** @type {{ error?: Error }} */ (bench).error));
    bench.run({ async: true });
  });
}

/**
 * A model for one observation as it is, and with 80 % of its weights removed in two patterns.
 * @param {string} name
 * @param {Graph} graph
 * @param {number} inputs
 */
function variants(name, graph, inputs) {
  const pruned = /** @type {const} */ (['16x1', 'unstructured']).map((pattern) => {
    const plan = planPruning(graph, { sparsity: 0.8, pattern, scope: 'layer' });
    return { name: `${name}, 80 % ${pattern}`, graph: applyPruning(graph, plan) };
  });
  return [{ name, graph }, ...pruned].map((variant) => ({
    name: variant.name,
    model: exportOnnx(variant.graph),
    dims: [1, inputs],
  }));
}

/** One linear layer. @param {number} inputs @param {number} outputs */
const linear = (inputs, outputs) =>
  makeModel({ inputs, outputs }, randomValues('linear', inputs * outputs, 1 / Math.sqrt(inputs)));

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const [direction] = selectModels(['ocr-cls']);
if (direction === undefined) throw new Error('Expected the model ocr-cls');
const cases = [
  { name: 'policy 48-64-64-12', model: exportOnnx(mlpPolicy({ widths: [48, 64, 64, 12] })), dims: [1, 48] },
  ...variants('policy 48-512-256-128-12', mlpPolicy(), 48),
  ...variants('linear 256-512', linear(256, 512), 256),
  ...variants('linear 768-768', linear(768, 768), 768),
  { name: direction.title, model: modelPath(direction), dims: direction.dims },
];
const results = [];
for (const { name, model, dims } of cases) {
  const { session, feeds } = await open(model, dims);
  const sync = await measure(`${name} runSync`, { fn: () => session.runSync(feeds) });
  const promise = await measure(`${name} run`, {
    defer: true,
    fn: (/** @type {{ resolve(): void }} */ deferred) => session.run(feeds).then(() => deferred.resolve()),
  });
  results.push({ name, runSync: sync, run: promise });
  session.release();
}
const table = new Table({
  head: ['model', 'runSync us', 'run us', 'the promise costs us'],
  style: { head: [] },
});
for (const { name, runSync, run } of results) {
  const print = (/** @type {number} */ value) => value.toFixed(1);
  table.push([
    name,
    print(runSync.microseconds),
    print(run.microseconds),
    print(run.microseconds - runSync.microseconds),
  ]);
}
console.log(table.toString());
if (values.json !== undefined) {
  const report = { bench: 'calls', machine: describeMachine(), results };
  await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
