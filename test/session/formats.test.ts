import { describe, expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { fromFloat16, toFloat16 } from '../../src/graph/half.js';
import type { Graph } from '../../src/graph/index.js';
import { InferenceSession, type Isa, Tensor } from '../../src/index.js';
import { loadAddon } from '../../src/native/addon.js';
import { compareAll, runOnnxruntime } from '../operators/support.js';
import { constant, values } from '../prune/graphs.js';
import { type Pruned, prunedGraph } from '../sparse/layers.js';

const isas = loadAddon().availableIsas() as Isa[];

/** One product of x [n, inputs], as a model that states its ranks. */
function model(pruned: Pruned, scale = (w: number) => w): { graph: Graph; bytes: Uint8Array } {
  const graph = prunedGraph(pruned);
  const weight = graph.constants.get('w');
  const scaled = constant(weight?.dims ?? [], values(graph, 'w').map(scale));
  const inputs = [{ name: 'x', type: 'float32', dims: ['n', weight?.dims[1] ?? 0] }] as const;
  const outputs = [{ name: 'y0', type: 'float32', dims: ['n', weight?.dims[0] ?? 0] }] as const;
  const whole = { ...graph, inputs, outputs, constants: new Map([['w', scaled]]) };
  return { graph: whole, bytes: exportOnnx(whole) };
}

const feed = (n: number, inputs = 96) => ({
  x: new Tensor(
    'float32',
    Float32Array.from({ length: n * inputs }, (_, i) => Math.sin(i)),
    [n, inputs],
  ),
});

describe('a weight', () => {
  test.each(isas.filter((isa) => isa !== 'scalar'))(
    'has a format for each number of tokens, %s',
    async (isa) => {
      const { bytes } = model({ pattern: 'unstructured', sparsity: 0.8 });
      using session = await InferenceSession.create(bytes, { threads: 1, isa });
      const formats = new Map<number, string | undefined>();
      for (const n of [1, 64, 1, 3]) {
        const feeds = feed(n);
        expect(compareAll(session.runSync(feeds), await runOnnxruntime(bytes, feeds))).toEqual([]);
        formats.set(n, session.explain(feeds)[0]?.format);
      }
      expect([formats.get(1), formats.get(64)]).toEqual(['ell', 'sell']);
    },
  );

  test('stored as float16 is rounded to the nearest half, in every format', async () => {
    for (const pattern of ['16x1', '8x1', '4x1', 'unstructured', '2:4', undefined] as const) {
      const pruned = { ...(pattern && { pattern }), ...(pattern !== '2:4' && { sparsity: 0.85 }) };
      const { bytes } = model(pruned);
      const rounded = model(pruned, (w) => fromFloat16(toFloat16(w))).bytes;
      for (const isa of isas) {
        using session = await InferenceSession.create(bytes, { threads: 1, isa, weightStorage: 'float16' });
        for (const n of [1, 3, 40]) {
          const feeds = feed(n);
          const layers = session.explain(feeds).map(({ format, storage }) => ({ format, storage }));
          const problems = compareAll(session.runSync(feeds), await runOnnxruntime(rounded, feeds));
          expect({ pattern, isa, n, layers, problems }).toMatchObject({
            layers: [{ storage: 'float16' }],
            problems: [],
          });
        }
      }
    }
  });

  test('that a half cannot hold keeps its layer in float32', async () => {
    const { bytes } = model({ pattern: '16x1', sparsity: 0.8 }, (w) => w * 1e5);
    using session = await InferenceSession.create(bytes, { threads: 1, weightStorage: 'float16' });
    const feeds = feed(2);
    expect(session.explain(feeds)).toMatchObject([{ storage: 'float32' }]);
    expect(compareAll(session.runSync(feeds), await runOnnxruntime(bytes, feeds))).toEqual([]);
  });

  test('takes about the bytes that the cost model says', async () => {
    for (const pattern of ['16x1', '8x1', '4x1', 'unstructured', '2:4', '1:4', undefined] as const) {
      const nm = pattern?.includes(':') === true;
      const shape = { outputs: 512, inputs: 384 };
      const { bytes } = model({ ...shape, ...(pattern && { pattern }), ...(!nm && { sparsity: 0.8 }) });
      using session = await InferenceSession.create(bytes, { threads: 1 });
      for (const n of [1, 64]) {
        const [layer] = session.explain(feed(n, 384));
        const predicted = layer?.candidates.find(({ format }) => format === layer.format)?.bytes ?? 0;
        const ratio = (layer?.bytes ?? 0) / predicted;
        expect({ pattern, n, format: layer?.format, close: ratio > 0.9 && ratio < 1.1, ratio }).toMatchObject(
          {
            close: true,
          },
        );
      }
    }
  });
});
