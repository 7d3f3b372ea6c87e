// What pruning by data costs: seconds for single layers of 2,048 rows, and seconds and peak memory for whole
// networks with random weights. Every case runs in a process of its own.
//
//   npm run bench:calibration
//   npm run bench:calibration -- --only sparsegpt-3072-x-768
//   npm run bench:calibration -- --json bench/results/calibration.json && node bench/report.mjs
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { pruneCalibrated } from '../dist/calibrate/index.js';
import { GraphBuilder } from '../dist/graph/index.js';
import { findLayers } from '../dist/graph/layers.js';
import { Tensor } from '../dist/index.js';
import { resnet, vit } from '../dist/networks/index.js';
import { calibrationMarkdown } from './lib/calibration-markdown.mjs';
import { describeMachine } from './lib/machine.mjs';

/** @import { CalibratedOptions, Samples } from '../dist/calibrate/index.js' */
/** @import { Graph } from '../dist/graph/index.js' */
/** @import { CalibrationRow } from './lib/calibration-markdown.mjs' */

const { values } = parseArgs({
  options: {
    case: { type: 'string' },
    only: { type: 'string' },
    threads: { type: 'string', default: '2' },
    json: { type: 'string' },
  },
});
const threads = Number(values.threads);

/** Random numbers in [-1, 1), the same each time. @param {number} length */
function numbers(length) {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** @param {number} outputs @param {number} inputs @returns {{ graph: Graph, samples: Samples }} */
function layer(outputs, inputs) {
  const rows = 2048;
  const g = new GraphBuilder('layer');
  const x = g.input('x', [rows, inputs]);
  const graph = g
    .output('y', g.node('MatMul', [x, g.constant([inputs, outputs], numbers(inputs * outputs), 'w')]))
    .build();
  return { graph, samples: [{ x: new Tensor('float32', numbers(rows * inputs), [rows, inputs]) }] };
}

/** A network that takes images. @param {Graph} graph @returns {{ graph: Graph, samples: Samples }} */
function onImages(graph) {
  const dims = [1, 3, 224, 224];
  const samples = Array.from({ length: 16 }, () => ({
    image: new Tensor('float32', numbers(3 * 224 * 224), dims),
  }));
  return { graph, samples };
}

const vitS = () => onImages(vit());
const resnet50 = () => onImages(resnet({ blocks: [3, 4, 6, 3], bottleneck: true }));

/** @type {readonly { name: string, make: () => { graph: Graph, samples: Samples }, options: CalibratedOptions }[]} */
const cases = [
  ...[
    { outputs: 3072, inputs: 768 },
    { outputs: 768, inputs: 3072 },
  ].flatMap(({ outputs, inputs }) =>
    /** @type {const} */ ([
      ['SparseGPT', { method: 'sparsegpt', refit: false }],
      ['SparseGPT + refit', { method: 'sparsegpt' }],
      ['ADMM + refit', { method: 'admm' }],
    ]).map(([title, options]) => ({
      name: `${title}, ${outputs} x ${inputs}`,
      make: () => layer(outputs, inputs),
      options: { sparsity: 0.5, ...options },
    })),
  ),
  { name: 'SparseGPT + refit, ViT-S', make: vitS, options: { sparsity: 0.5, method: 'sparsegpt' } },
  { name: 'ADMM + refit, ViT-S', make: vitS, options: { sparsity: 0.5, method: 'admm' } },
  {
    name: 'SparseGPT + refit, ResNet-50',
    make: resnet50,
    options: { sparsity: 0.5, method: 'sparsegpt', rows: 4096 },
  },
  { name: 'ADMM + refit, ResNet-50', make: resnet50, options: { sparsity: 0.5, method: 'admm', rows: 4096 } },
];

/** @param {(typeof cases)[number]} one */
async function measure({ make, options }) {
  const { graph, samples } = make();
  const modelBytes = [...graph.constants.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
  const most = findLayers(graph).reduce((largest, { inputs }) => Math.max(largest, inputs), 0);
  // What is there before: Node, the library, the samples, but not the model, which the bound counts. Without what
  // making them left behind.
  globalThis.gc?.();
  const before = process.memoryUsage().rss - modelBytes;
  const start = performance.now();
  const used = process.cpuUsage();
  await pruneCalibrated(graph, samples, { ...options, threads });
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(used);
  const peak = process.resourceUsage().maxRSS * 1024 - before;
  const cpuSeconds = (user + system) / 1e6;
  return { seconds, cpuSeconds, modelBytes, hessianBytes: most ** 2 * 8, peakBytes: peak };
}

/** @param {(typeof cases)[number]} one */
const idOf = ({ name }) => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');

/** @param {string | undefined} list */
function select(list) {
  const ids = list?.split(',') ?? cases.map(idOf);
  const unknown = ids.find((id) => !cases.some((one) => idOf(one) === id));
  if (unknown !== undefined)
    throw new Error(`Expected cases of ${cases.map(idOf).join(', ')}, got ${unknown}`);
  return cases.filter((one) => ids.includes(idOf(one)));
}

if (values.case !== undefined) {
  for (const one of select(values.case)) console.log(JSON.stringify(await measure(one)));
} else {
  /** @type {CalibrationRow[]} */
  const rows = [];
  for (const one of select(values.only)) {
    const args = [
      '--expose-gc',
      fileURLToPath(import.meta.url),
      '--case',
      idOf(one),
      '--threads',
      values.threads,
    ];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    rows.push({ name: one.name, ...JSON.parse(stdout) });
    console.error(`${one.name}: ${rows.at(-1)?.seconds.toFixed(1)} s`);
  }
  const results = { machine: describeMachine(), threads, rows };
  console.log(calibrationMarkdown(results));
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`);
}
