import { describe, expect, test } from 'vitest';
import { makeImage } from '../../../bench/lib/image.mjs';
import { type BenchModel, modelPath, models } from '../../../bench/lib/models.mjs';
import { exportOnnx, readOnnx } from '../../../src/formats/onnx/index.js';
import type { Graph } from '../../../src/graph/graph.js';
import { GraphBuilder } from '../../../src/graph/index.js';
import {
  applyPermutation,
  keptImportance,
  magnitude,
  type PermutationOptions,
  type PermutationPlan,
  planPermutation,
  planPruning,
} from '../../../src/prune/index.js';
import { Tensor, type TensorMap } from '../../../src/tensor.js';
import { feedsOf, smallNetworks } from '../../networks/small.js';
import { compareAll, runEspalier, runOnnxruntime } from '../../operators/support.js';

/** x -> hidden -> y by the weights given as rows of inputs. */
function perceptron(first: readonly (readonly number[])[], second: readonly (readonly number[])[]): Graph {
  const b = new GraphBuilder();
  const dims = (rows: readonly (readonly number[])[]) => [rows.length, rows[0]?.length ?? 0];
  const x = b.input('x', [1, first.length]);
  const hidden = b.node('MatMul', [x, b.constant(dims(first), first.flat(), 'first')], {}, 'up');
  const product = [b.node('Relu', [hidden]), b.constant(dims(second), second.flat(), 'second')];
  return b.output('y', b.node('MatMul', product, {}, 'down')).build();
}

/** Expects the graph in new orders to compute what it did, in both engines. */
async function expectSame(graph: Graph, permuted: Graph, feeds: TensorMap): Promise<void> {
  const expected = await runOnnxruntime(exportOnnx(graph), feeds);
  const bytes = exportOnnx(permuted);
  // Float32 sums in another order.
  for (const run of [runOnnxruntime, runEspalier])
    expect(compareAll(await run(bytes, feeds), expected, { tolerance: 1e-4 })).toEqual([]);
}

describe('planPermutation', () => {
  test('brings outputs that want the same input into one block', async () => {
    const ones = Array.from({ length: 8 }, () => [1]);
    const graph = perceptron(
      [
        [5, 0, 5, 0, 5, 0, 5, 0],
        [0, 3, 0, 3, 0, 3, 0, 3],
      ],
      ones,
    );
    const plan = planPermutation(graph, { pattern: '4x1', sparsity: 0.5 });
    // The second layer has blocks of its 8 inputs by its one output: half of them stay in any order.
    expect(plan.kept.after * (32 + 8)).toBeCloseTo(32 + 4, 4);
    expect(plan.kept.before * (32 + 8)).toBeCloseTo(20 + 4, 4);
    expect(plan.groups).toHaveLength(1);
    const even = new Set((plan.groups[0]?.order ?? []).slice(0, 4).map((unit) => unit % 2));
    expect(even.size).toBe(1);
    await expectSame(graph, applyPermutation(graph, plan), feedsOf(graph));
  });

  test('spreads inputs over the groups of N:M', async () => {
    const eye = Array.from({ length: 2 }, () => [1, 2, 1, 2, 1, 2, 1, 2]);
    const graph = perceptron(
      eye,
      [9, 9, 9, 9, 1, 1, 1, 1].map((weight) => [weight]),
    );
    const plan = planPermutation(graph, { pattern: '2:4' });
    expect(plan.kept.before * (24 + 40)).toBeCloseTo(24 + 18 + 2, 4); // the first layer has two inputs
    expect(plan.kept.after * (24 + 40)).toBeCloseTo(24 + 36, 4);
    await expectSame(graph, applyPermutation(graph, plan), feedsOf(graph));
  });

  test.each(Object.entries(smallNetworks))('%s keeps more, and computes the same', async (_, build) => {
    const graph = build();
    const plan = planPermutation(graph, { pattern: '4x1', sparsity: 0.8 });
    expect(plan.kept.after).toBeGreaterThan(plan.kept.before);
    const permuted = applyPermutation(graph, plan);
    const pruned = planPruning(permuted, { pattern: '4x1', sparsity: 0.8 });
    expect(keptImportance(permuted, pruned, magnitude)).toBe(plan.kept.after);
    await expectSame(graph, permuted, feedsOf(graph));
  });

  test('a trained model', async () => {
    const model = models.find(({ id }) => id === 'ocr-cls') as BenchModel;
    const graph = await readOnnx(modelPath(model));
    const shapes = { [model.input]: model.dims };
    const plan = planPermutation(graph, { pattern: '16x1', sparsity: 0.8, shapes });
    expect(plan.kept.after).toBeGreaterThan(1.15 * plan.kept.before);
    expect(planPermutation(graph, { pattern: '16x1', sparsity: 0.8, shapes })).toEqual(plan);
    const dims = model.otherDims[0] ?? [];
    const feeds = { [model.input]: new Tensor('float32', makeImage(model, dims).data, dims) };
    await expectSame(graph, applyPermutation(graph, plan), feeds);
  });

  test.each([
    [{ pattern: 'unstructured', sparsity: 0.5 }, /pattern to be Rx1 with R > 1 or N:M, .* got unstructured/],
    [{ pattern: '4x4', sparsity: 0.5 }, /got 4x4/],
    [{ pattern: '4x1' }, /planPermutation options.sparsity to be given/],
    [{ pattern: '4x1', sparsity: 0.5, shape: {} }, /Unknown key "shape" .* did you mean "shapes"/],
  ])('needs options that make sense: %#', (options, message) => {
    const graph = perceptron([[1, 2]], [[1], [2]]);
    expect(() => planPermutation(graph, options as PermutationOptions)).toThrow(message);
  });

  test('a plan of another graph is refused', () => {
    const graph = perceptron([[1, 2, 3]], [[1], [2], [3]]);
    const plan: PermutationPlan = {
      pattern: '4x1',
      sparsity: 0.5,
      shapes: {},
      groups: [{ name: 'up', order: [0, 0, 1] }],
      kept: { before: 0, after: 0 },
    };
    expect(() => applyPermutation(graph, plan)).toThrow(/to order the units of group "up", got 3 units/);
    expect(() => applyPermutation(graph, { ...plan, groups: [{ name: 'no', order: [0] }] })).toThrow(
      /no such group/,
    );
  });
});
