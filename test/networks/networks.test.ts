import { describe, expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { lstmPolicy, mlpPolicy, vit } from '../../src/networks/index.js';
import { withHashes } from '../graph/support.js';
import { compareAll, runEspalier, runOnnxruntime } from '../operators/support.js';
import { feedsOf, smallNetworks } from './small.js';

/** Its channels are no group that structured pruning takes, so it stands apart. */
const recurrent = { 'lstm policy': () => lstmPolicy({ observation: 24, hidden: 32, actions: 6 }) };

describe.each(Object.entries({ ...smallNetworks, ...recurrent }))('%s', (_, build) => {
  test('runs here as in onnxruntime, with outputs that say something', async () => {
    const graph = build();
    const bytes = exportOnnx(graph);
    const feeds = feedsOf(graph);
    const expected = await runOnnxruntime(bytes, feeds);
    // Float32 sums in another order, through many layers.
    expect(compareAll(await runEspalier(bytes, feeds), expected, { tolerance: 1e-4 })).toEqual([]);
    for (const [name, { data, dims }] of Object.entries(expected)) {
      expect(dims).toEqual(graph.outputs.find((output) => output.name === name)?.dims);
      const values = Array.from(data as Float32Array, Math.abs);
      expect(Math.max(...values)).toBeGreaterThan(1e-3);
      expect(Math.max(...values)).toBeLessThan(1e4);
    }
  });
});

test('the same seed gives the same network, another one another', () => {
  expect(withHashes(mlpPolicy())).toEqual(withHashes(mlpPolicy()));
  expect(withHashes(mlpPolicy({ seed: 2 }))).not.toEqual(withHashes(mlpPolicy()));
});

test('sizes are those of the papers', () => {
  const graph = vit({ depth: 1 });
  const weights = [...graph.constants.values()].filter(({ type }) => type === 'float32');
  const count = weights.reduce((sum, { bytes }) => sum + bytes.byteLength / 4, 0);
  // Patches, class token, positions, one block (12 d^2 + 13 d), last norm, head; and the scale of the scores.
  const d = 384;
  expect(count).toBe(3 * 16 * 16 * d + d + d + 197 * d + 12 * d * d + 13 * d + 2 * d + d * 1000 + 1000 + 1);
});
