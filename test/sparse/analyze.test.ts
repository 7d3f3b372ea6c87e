import { describe, expect, test } from 'vitest';
import { findLayers, type Layer } from '../../src/graph/layers.js';
import { analyzeLayer, type LayerAnalysis } from '../../src/sparse/analyze.js';
import { chain, constant, everyKind, seeded } from '../prune/graphs.js';

const denormal = 1e-41;

/** The same numbers, by the definitions, without any cleverness. */
function reference(layer: Layer, weights: Float32Array): Omit<LayerAnalysis, 'depthwise' | 'pattern'> {
  const { groups, outputs, inputs, outputStride, inputStride } = layer;
  const at = (group: number, output: number, input: number) => {
    const value = weights[(group * outputs + output) * outputStride + input * inputStride] as number;
    return Math.abs(value) < 2 ** -126 ? 0 : value;
  };
  const range = (n: number) => Array.from({ length: n }, (_, i) => i);
  const zeros = weights.filter((w) => w === 0).length;
  const denormals = weights.filter((w) => w !== 0 && Math.abs(w) < 2 ** -126).length;
  const blocks = (rows: number) => {
    let total = 0;
    let used = 0;
    for (const g of range(groups)) {
      for (const i of range(inputs)) {
        for (let o = 0; o < outputs; o += rows) {
          total++;
          if (range(Math.min(rows, outputs - o)).some((r) => at(g, o + r, i) !== 0)) used++;
        }
      }
    }
    return { total, used };
  };
  const nonZeros = weights.length - zeros - denormals;
  const perPattern = (f: (rows: number) => number) => ({ '16x1': f(16), '8x1': f(8), '4x1': f(4) });
  const rowCount = (g: number, o: number) => range(inputs).filter((i) => at(g, o, i) !== 0).length;
  const fullest = range(groups).flatMap((g) =>
    range(Math.ceil(outputs / 16)).map((block) =>
      Math.max(...range(16).map((r) => (block * 16 + r < outputs ? rowCount(g, block * 16 + r) : 0))),
    ),
  );
  const slots = 16 * fullest.reduce((a, b) => a + b, 0);
  return {
    op: layer.op,
    groups,
    outputs,
    inputs,
    rowBalance: slots === 0 ? 1 : nonZeros / slots,
    largest: weights.reduce((a, b) => (Math.abs(b) < 2 ** -126 ? a : Math.max(a, Math.abs(b))), 0),
    weights: weights.length,
    zeros,
    denormals,
    sparsity: (zeros + denormals) / weights.length,
    blockSparsity: perPattern((rows) => 1 - blocks(rows).used / blocks(rows).total),
    storedWeights: perPattern((rows) => rows * blocks(rows).used),
    storedRatio: perPattern((rows) => (nonZeros === 0 ? 1 : (rows * blocks(rows).used) / nonZeros)),
    denseStored: 16 * blocks(16).total,
    emptyOutputs: range(groups).flatMap((g) =>
      range(outputs).filter((o) => range(inputs).every((i) => at(g, o, i) === 0)),
    ).length,
    emptyInputs: range(groups).flatMap((g) =>
      range(inputs).filter((i) => range(outputs).every((o) => at(g, o, i) === 0)),
    ).length,
  };
}

describe('analyzeLayer', () => {
  test.each([0, 1, 2, 3, 4])(
    'equals the naive reference on every layout, %i bytes off alignment',
    (shift) => {
      const random = seeded(shift + 1);
      for (const share of [0, 0.3, 0.7, 0.95, 1]) {
        const full = everyKind(7, shift);
        const constants = new Map(full.constants);
        for (const layer of findLayers(full)) {
          const dims = full.constants.get(layer.weight)?.dims ?? [];
          const weights = Float32Array.from({ length: layer.groups * layer.outputs * layer.inputs }, () => {
            if (random() >= share) return random() - 0.5 || 1;
            return [0, -0, 0, denormal, -denormal][Math.floor(random() * 5)] as number;
          });
          constants.set(layer.weight, constant(dims, weights, shift));
          const graph = { ...full, constants };
          const { depthwise, pattern: _, ...counts } = analyzeLayer(graph, layer);
          expect(counts).toEqual(reference(layer, weights));
          expect(depthwise).toBe(layer.name === 'depthwise');
        }
      }
    },
  );

  test('reads Node buffers, whose slice() is a view', () => {
    const pool = Buffer.alloc(33);
    pool.writeFloatLE(1, 1);
    const graph = chain([{ name: 'a', op: 'MatMul', weight: 'w' }], {
      w: { type: 'float32', dims: [2, 4], bytes: pool.subarray(1) },
    });
    const [layer] = findLayers(graph);
    expect(layer && analyzeLayer(graph, layer).zeros).toBe(7);
  });

  test('NaN and infinities are weights', () => {
    const graph = chain([{ name: 'a', op: 'MatMul', weight: 'w' }], {
      w: constant([1, 4], [Number.NaN, Number.POSITIVE_INFINITY, 0, 2 ** -126]),
    });
    const [layer] = findLayers(graph);
    const nan = { zeros: 1, denormals: 0, emptyOutputs: 1, largest: Number.NaN };
    expect(layer && analyzeLayer(graph, layer)).toMatchObject(nan);
    const infinite = { ...graph, constants: new Map([['w', constant([1, 2], [-Infinity, 3])]]) };
    expect(layer && analyzeLayer(infinite, { ...layer, outputs: 2 }).largest).toBe(Infinity);
  });

  test('bytes that do not fit the dims are an error that says so', () => {
    const graph = chain([{ name: 'a', op: 'MatMul', weight: 'w' }], {
      w: { type: 'float32', dims: [2, 4], bytes: new Uint8Array(31) },
    });
    const [layer] = findLayers(graph);
    expect(() => layer && analyzeLayer(graph, layer)).toThrow(
      'Expected weight "w" of layer "a" to be 8 float32 values, got 31 bytes of float32',
    );
  });
});
