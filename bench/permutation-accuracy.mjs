// What an order of channels is worth to a trained network: a perceptron, trained here on Fashion-MNIST, is pruned by
// magnitude to 80 % in 16x1 and 4x1 blocks, with its neurons as they are and in the order that planPermutation finds.
// Nothing is timed. The data are those of Debian's package dataset-fashion-mnist.
//
//   node bench/permutation-accuracy.mjs --json bench/results/permutation-accuracy.json && node bench/report.mjs
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { GraphBuilder } from '../dist/graph/index.js';
import { InferenceSession, Tensor } from '../dist/index.js';
import { applyPermutation, applyPruning, planPermutation, planPruning } from '../dist/prune/index.js';
import { imageOf, readExamples, trainPerceptron } from './lib/fashion-mnist.mjs';
import { describeMachine } from './lib/machine.mjs';
import { permutationAccuracyMarkdown } from './lib/permutation-markdown.mjs';

/** @import { Graph } from '../dist/graph/index.js' */
/** @import { Perceptron } from './lib/fashion-mnist.mjs' */

const sparsity = 0.8;
const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '/usr/share/datasets/fashion-mnist' },
    json: { type: 'string' },
  },
});
const training = { widths: [784, 256, 128, 10], examplesEach: 20_000, epochs: 4 };
const tests = await readExamples(values.data, 't10k');
const graph = graphOf(trainPerceptron(await readExamples(values.data, 'train'), training), tests.count);
const images = Float32Array.from({ length: tests.count * 784 });
for (let i = 0; i < tests.count; i++) images.set(imageOf(tests, i), i * 784);

const dense = accuracyOf(graph);
const rows = /** @type {const} */ (['16x1', '4x1']).map((pattern) => {
  const plan = planPermutation(graph, { pattern, sparsity });
  const pruned = (/** @type {Graph} */ network) =>
    applyPruning(network, planPruning(network, { pattern, sparsity }));
  const ordered = applyPermutation(graph, plan);
  const accuracy = { before: accuracyOf(pruned(graph)), after: accuracyOf(pruned(ordered)) };
  return { pattern, kept: plan.kept, accuracy, ordered: accuracyOf(ordered) };
});
const results = { machine: describeMachine(), sparsity, training, dense, rows };
console.log(permutationAccuracyMarkdown(results));
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`);

/** @param {Perceptron} network @param {number} batch */
function graphOf({ weights, biases, widths }, batch) {
  const b = new GraphBuilder('fashion-mnist');
  let x = b.input('x', [batch, widths[0] ?? 0]);
  for (const [l, own] of weights.entries()) {
    const outputs = widths[l + 1] ?? 0;
    const bias = b.constant([outputs], /** @type {Float32Array} */ (biases[l]));
    x = b.node('Gemm', [x, b.constant([widths[l] ?? 0, outputs], own), bias], {}, `layer${l}`);
    if (l < weights.length - 1) x = b.node('Relu', [x]);
  }
  return b.output('scores', x).build();
}

/** The share of test images that a network names right. @param {Graph} network */
function accuracyOf(network) {
  const session = InferenceSession.fromGraph(network);
  try {
    const { scores } = session.runSync({ x: new Tensor('float32', images, [tests.count, 784]) });
    const data = /** @type {Float32Array} */ (scores?.data);
    let right = 0;
    for (let i = 0; i < tests.count; i++) {
      const own = data.subarray(i * 10, (i + 1) * 10);
      if (own.indexOf(Math.max(...own)) === tests.labels[i]) right++;
    }
    return right / tests.count;
  } finally {
    session.release();
  }
}
