import { describe, expect, test } from 'vitest';
import { pushConstants, type Samples } from '../../src/calibrate/index.js';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import type { Graph } from '../../src/graph/graph.js';
import { GraphBuilder } from '../../src/graph/index.js';
import { applyStructuredPruning, planStructuredPruning } from '../../src/prune/index.js';
import { Tensor } from '../../src/tensor.js';
import { feedsOf, smallNetworks } from '../networks/small.js';
import { runOnnxruntime } from '../operators/support.js';
import { seeded } from '../prune/graphs.js';
import { expectMasked } from '../prune/structured/support.js';
import { outputsOf, relativeError } from './support.js';

const random = seeded(9);
const normal = (count: number, scale = 1) =>
  Float32Array.from({ length: count }, () => scale * (random() * 2 - 1));

/** A convolution, a batch normalisation of small scales and large positive shifts, an activation, and a convolution of 1 x 1. */
function shifted(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', [1, 3, 6, 6]);
  const first = b.node('Conv', [x, b.constant([8, 3, 3, 3], normal(216))], { pads: [1, 1, 1, 1] }, 'first');
  const constants = [
    normal(8, 0.02),
    normal(8, 2).map(Math.abs),
    normal(8, 0.5),
    normal(8).map((v) => 1 + v * v),
  ];
  const scaled = b.node('BatchNormalization', [first, ...constants.map((data) => b.constant([8], data))]);
  const y = b.node('Conv', [b.node('Relu', [scaled]), b.constant([4, 8, 1, 1], normal(32))], {}, 'last');
  return b.output('y', y).build();
}

const inputs: Samples = Array.from({ length: 4 }, () => ({
  x: new Tensor('float32', normal(108), [1, 3, 6, 6]),
}));

describe('pushConstants', () => {
  test('by batch normalisations: nearly nothing is lost where scales are small, and dropping loses much', async () => {
    const graph = shifted();
    const plan = planStructuredPruning(graph, { sparsity: 0.5 });
    const dense = outputsOf(graph, inputs);
    const errorOf = (content: Graph) =>
      relativeError(outputsOf(applyStructuredPruning(content, plan), inputs), dense);
    const pushed = errorOf(await pushConstants(graph, plan));
    expect(errorOf(graph)).toBeGreaterThan(0.05);
    expect(pushed).toBeLessThan(0.02 * errorOf(graph));
    // With data the average is that of the activations themselves.
    const byData = errorOf(await pushConstants(graph, plan, inputs));
    expect(byData).toBeLessThan(pushed);
  });

  test('the result is what the masked network gives, in onnxruntime too', async () => {
    const graph = (smallNetworks['mobilenet-v2'] as () => Graph)();
    const plan = planStructuredPruning(graph, { sparsity: 0.5 });
    const pushed = await pushConstants(graph, plan);
    expect(pushed).not.toEqual(graph);
    await expectMasked(pushed, plan, applyStructuredPruning(pushed, plan), feedsOf(graph));
  });

  test('data tell the means of neurons; without data what no normalisation decides is dropped', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', [5, 6]);
    const hidden = b.node('Gemm', [x, b.constant([6, 16], normal(96)), b.constant([16], normal(16, 3))]);
    const graph = b
      .output('y', b.node('MatMul', [b.node('Relu', [hidden]), b.constant([16, 4], normal(64))]))
      .build();
    const samples = inputs.map((_, i) => ({
      x: new Tensor(
        'float32',
        normal(30).map((v) => v + i / 4),
        [5, 6],
      ),
    }));
    const plan = planStructuredPruning(graph, { sparsity: 0.5 });
    const dense = outputsOf(graph, samples);
    const mean = (values: Float64Array, output: number) => {
      const own = values.filter((_, i) => i % 4 === output);
      return own.reduce((sum, value) => sum + value, 0) / own.length;
    };
    const pruned = applyStructuredPruning(await pushConstants(graph, plan, samples), plan);
    const after = outputsOf(pruned, samples);
    // The bias makes up for the mean of what is gone: outputs are right on average.
    for (let output = 0; output < 4; output++)
      expect(mean(after, output)).toBeCloseTo(mean(dense, output), 4);
    const dropped = outputsOf(applyStructuredPruning(graph, plan), samples);
    expect(relativeError(after, dense)).toBeLessThan(0.7 * relativeError(dropped, dense));
    const without = applyStructuredPruning(await pushConstants(graph, plan), plan);
    expect(outputsOf(without, samples)).toEqual(dropped);
    const [sample] = samples;
    if (sample === undefined) throw new Error('a sample');
    const [theirs] = Object.values(await runOnnxruntime(exportOnnx(pruned), sample));
    expect(relativeError(after.slice(0, 20), theirs?.data as Float32Array)).toBeLessThan(1e-10);
  });
});
