import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { makeImage } from '../../bench/lib/image.mjs';
import { modelPath, models } from '../../bench/lib/models.mjs';
import { foldAffine } from '../../src/compile/fold_affine.js';
import { compileModel } from '../../src/esp/index.js';
import { openEsp } from '../../src/esp/open.js';
import { exportOnnx, readOnnx } from '../../src/formats/onnx/index.js';
import type { Graph } from '../../src/graph/graph.js';
import { InferenceSession, type Isa, Tensor } from '../../src/index.js';
import { loadAddon } from '../../src/native/addon.js';
import { mlp } from '../cli/models.js';
import { asStored, compiled, inFolder, prune, smallFeed, smallGraph } from './support.js';

const isas = loadAddon().availableIsas() as Isa[];

/** Every fixture model, each in another way. */
const cases = models.map((model, i) => {
  const ways = [
    { pattern: '16x1', sparsity: 0.9, weightStorage: 'float32' },
    { pattern: 'unstructured', sparsity: 0.8, weightStorage: 'float16' },
    { pattern: 'unstructured', sparsity: 0.8, weightStorage: 'float32' },
    { pattern: '16x1', sparsity: 0, weightStorage: 'float32' },
  ] as const;
  return { model, ...(ways[i % ways.length] as (typeof ways)[number]) };
});

describe('a compiled model', () => {
  test.each(cases)(
    '$model.id, $pattern $sparsity $weightStorage: same weights, same outputs',
    async (one) => {
      const { model, pattern, sparsity, weightStorage } = one;
      const original = await readOnnx(modelPath(model));
      const graph = sparsity === 0 ? original : prune(original, pattern, sparsity);
      const { parts, weights } = compileModel(graph, {
        shapes: { [model.input]: model.dims },
        weightStorage,
      });
      expect(weights.filter(({ format }) => format !== undefined).length).toBeGreaterThan(weights.length / 2);
      await inFolder(async (at) => {
        writeFileSync(at('model.esp'), Buffer.concat(parts));
        if (weightStorage === 'float32')
          expectSameConstants(openEsp(at('model.esp')).graph, foldAffine(graph));
        const settings = { threads: 1, weightStorage } as const;
        using dense = await InferenceSession.create(exportOnnx(graph), settings);
        using packed = await InferenceSession.create(at('model.esp'), { threads: 1 });
        const { data } = makeImage(model, model.dims);
        const feeds = { [model.input]: new Tensor('float32', data, model.dims) };
        const expected = dense.runSync(feeds);
        const actual = packed.runSync(feeds);
        for (const name of dense.outputNames) expect(same(actual[name], expected[name])).toBe(true);
      });
    },
  );

  test.each(isas)('runs on %s, for shapes that it was not compiled for', async (isa) => {
    for (const pattern of ['16x1', '4x1', 'unstructured'] as const) {
      const graph = prune(mlp('batch'), pattern, 0.8);
      const bytes = compiled(graph, { shapes: { x: [1, 32] }, isa: 'avx512' });
      using dense = await InferenceSession.create(exportOnnx(graph), { threads: 1, isa });
      using packed = await InferenceSession.create(bytes, { threads: 1, isa });
      for (const n of [1, 2, 17, 64]) {
        const expected = Array.from(dense.runSync(smallFeed(n))['y2']?.data ?? [], Number);
        const actual = Array.from(packed.runSync(smallFeed(n))['y2']?.data ?? [], Number);
        expect(actual.length).toBe(n * 8);
        const errors = actual.map((value, i) => Math.abs(value - (expected[i] ?? 0)));
        // Another format adds the same 64 products, of which none is beyond 4, in another order.
        expect(Math.max(...errors)).toBeLessThan(64 * 4 * 2 ** -22);
      }
    }
  });

  test('keeps what sessions may choose: storage, tuning, a mapping', async () => {
    const graph = smallGraph('batch');
    const bytes = compiled(graph, { tokens: 1, weightStorage: 'float16' });
    using half = await InferenceSession.create(bytes, { threads: 1 });
    expect(half.explain(smallFeed()).map(({ storage }) => storage)).toEqual(['float16', 'float16']);
    using wide = await InferenceSession.create(bytes, { threads: 1, weightStorage: 'float32' });
    expect(wide.explain(smallFeed()).map(({ storage }) => storage)).toEqual(['float32', 'float32']);
    expect(same(wide.runSync(smallFeed())['y2'], half.runSync(smallFeed())['y2'])).toBe(true);
    using tuned = await InferenceSession.create(bytes, { threads: 1, tune: 'load', tuneCache: false });
    expect(tuned.runSync(smallFeed())['y2']?.data.length).toBe(8);
  });

  test('is made for shapes where these alone make no plan', async () => {
    const { inputs, nodes, ...rest } = smallGraph('batch');
    const reshape = { name: 'reshape', op: 'Reshape', domain: '', inputs: ['x', 'dims'], outputs: ['flat'] };
    const graph: Graph = {
      ...rest,
      inputs: [...inputs, { name: 'dims', type: 'int64', dims: [2] }],
      nodes: [
        { ...reshape, attributes: new Map() },
        ...nodes.map((node) => ({
          ...node,
          inputs: node.inputs.map((name) => (name === 'x' ? 'flat' : name)),
        })),
      ],
    };
    const bytes = compiled(graph, { shapes: { x: [2, 32] } });
    using dense = await InferenceSession.create(exportOnnx(graph), { threads: 1 });
    using packed = await InferenceSession.create(bytes, { threads: 1 });
    const feeds = { ...smallFeed(2), dims: new Tensor('int64', [2n, 32n], [2]) };
    expect(packed.runSync(feeds)['y2']?.dims).toEqual([2, 8]);
    expect(same(packed.runSync(feeds)['y2'], dense.runSync(feeds)['y2'])).toBe(true);
  });

  test('is the same file for the same model', () => {
    const options = { tokens: 1, isa: 'scalar' } as const;
    expect(compiled(smallGraph(), options)).toEqual(compiled(smallGraph(), options));
  });
});

function same(actual: Tensor | undefined, expected: Tensor | undefined): boolean {
  if (actual === undefined || expected === undefined) return false;
  return actual.data.length > 0 && actual.data.every((value, i) => value === expected.data[i]);
}

/** Constants that the compiled model has are those of the graph; a transposed one may stand for another. */
function expectSameConstants(actual: Graph, expected: Graph): void {
  let compared = 0;
  for (const [name, data] of expected.constants) {
    const own = actual.constants.get(name);
    if (own === undefined) continue;
    compared++;
    expect(Buffer.compare(asStored(own), asStored(data)), name).toBe(0);
  }
  expect(compared).toBeGreaterThan(actual.constants.size * 0.9);
}
