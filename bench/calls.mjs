// What a call costs a JavaScript caller: runSync and run (a promise) on small policies and one small network, in one
// process, one thread. The arithmetic of a policy takes microseconds, so what is left is the way in and out.
//
//   npm run bench:calls [-- --json bench/results/calls.json]
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import Benchmark from 'benchmark';
import Table from 'cli-table3';
import { exportOnnx } from '../dist/formats/onnx/index.js';
import { fromNumbers } from '../dist/graph/index.js';
import { InferenceSession, Tensor } from '../dist/index.js';
import { describeMachine } from './lib/machine.mjs';
import { modelPath, selectModels } from './lib/models.mjs';

/** @import { Graph } from '../dist/graph/graph.js' */

/**
 * A policy of fully connected layers with ELU between them.
 * @param {readonly number[]} widths inputs, hidden layers, outputs
 * @returns {Graph}
 */
function policy(widths) {
  const constants = new Map();
  /** @type {import('../dist/graph/graph.js').Node[]} */
  const nodes = [];
  let value = 'observation';
  for (const [i, inputs] of widths.slice(0, -1).entries()) {
    const outputs = widths[i + 1] ?? 0;
    const count = inputs * outputs;
    const weights = Array.from({ length: count }, (_, w) => Math.sin(1 + w * 7.13) / Math.sqrt(inputs));
    constants.set(`weight${i}`, fromNumbers('float32', [outputs, inputs], weights));
    constants.set(`bias${i}`, fromNumbers('float32', [outputs], new Array(outputs).fill(0.01)));
    const last = i === widths.length - 2;
    const product = last ? 'action' : `product${i}`;
    nodes.push({
      name: `layer${i}`,
      op: 'Gemm',
      domain: '',
      inputs: [value, `weight${i}`, `bias${i}`],
      outputs: [product],
      attributes: new Map([['transB', { kind: 'int', value: 1n }]]),
    });
    if (last) break;
    value = `hidden${i}`;
    nodes.push({
      name: `elu${i}`,
      op: 'Elu',
      domain: '',
      inputs: [product],
      outputs: [value],
      attributes: new Map(),
    });
  }
  return {
    name: 'policy',
    inputs: [{ name: 'observation', type: 'float32', dims: [1, widths[0] ?? 0] }],
    outputs: [{ name: 'action', type: 'float32', dims: [1, widths.at(-1) ?? 0] }],
    nodes,
    constants,
    opsets: new Map([['', 17]]),
    metadata: {},
  };
}

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

const { values } = parseArgs({ options: { json: { type: 'string' } } });
const [direction] = selectModels(['ocr-cls']);
if (direction === undefined) throw new Error('Expected the model ocr-cls');
const cases = [
  { name: 'policy 48-64-64-12', model: exportOnnx(policy([48, 64, 64, 12])), dims: [1, 48] },
  { name: 'policy 48-512-256-128-12', model: exportOnnx(policy([48, 512, 256, 128, 12])), dims: [1, 48] },
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
