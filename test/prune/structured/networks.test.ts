import { describe, expect, test } from 'vitest';
import { makeImage } from '../../../bench/lib/image.mjs';
import { type BenchModel, modelPath, models, type Probe } from '../../../bench/lib/models.mjs';
import { exportOnnx, readOnnx } from '../../../src/formats/onnx/index.js';
import type { Graph } from '../../../src/graph/graph.js';
import {
  applyStructuredPruning,
  findGroups,
  planStructuredPruning,
  type Shapes,
} from '../../../src/prune/structured/index.js';
import { Tensor, type TensorMap } from '../../../src/tensor.js';
import { feedsOf, smallNetworks } from '../../networks/small.js';
import { expectMasked, parametersOf } from './support.js';

/** Halves every group and compares with the masked graph; what it was planned with is what comes out. */
async function halve(graph: Graph, feeds: TensorMap, shapes: Shapes = {}, probe?: Probe): Promise<void> {
  const options = { sparsity: 0.5, shapes };
  const plan = planStructuredPruning(graph, options);
  const free = findGroups(graph, { shapes }).filter(({ blocked }) => blocked === undefined);
  expect(plan.groups.map(({ name }) => name)).toEqual(free.map(({ name }) => name));
  for (const { units, kept } of plan.groups) expect(kept.length).toBe(units - Math.round(units / 2));
  const pruned = applyStructuredPruning(graph, plan);
  expect(parametersOf(pruned)).toBe(plan.after.parameters);
  expect(plan.after.parameters).toBeLessThan(plan.before.parameters);
  expect(pruned.inputs).toEqual(graph.inputs);
  expect(pruned.outputs).toEqual(graph.outputs);
  await expectMasked(graph, plan, pruned, feeds, probe);
}

describe('half of every group of a network', () => {
  test.each(Object.entries(smallNetworks))('%s', async (_, build) => {
    const graph = build();
    await halve(graph, feedsOf(graph));
  });
});

test('the same plan and the same bytes, however often', async () => {
  const model = models.find(({ id }) => id === 'ocr-cls') as BenchModel;
  const trained = await readOnnx(modelPath(model));
  for (const graph of [...Object.values(smallNetworks).map((build) => build()), trained]) {
    const shapes = graph === trained ? { [model.input]: model.dims } : {};
    const [first, second] = [0, 1].map(() =>
      planStructuredPruning(graph, { sparsity: 0.3, scope: 'global', shapes }),
    );
    if (first === undefined || second === undefined) throw new Error('two plans');
    expect(second).toEqual(first);
    const [once, again] = [first, second].map((plan) => exportOnnx(applyStructuredPruning(graph, plan)));
    expect(Buffer.compare(once ?? Buffer.of(0), again ?? Buffer.of(1))).toBe(0);
  }
});

describe('half of every group of a trained model', () => {
  test.each(models.map((model) => [model.id, model] as const))('%s', async (_, model) => {
    // Planned for some dims, run with others: those that the model leaves open stay open.
    const [planned = model.dims, dims = model.dims] = model.otherDims;
    const feeds = { [model.input]: new Tensor('float32', makeImage(model, dims).data, dims) };
    await halve(await readOnnx(modelPath(model)), feeds, { [model.input]: planned }, model.probe);
  });
});
