import { describe, expect, test } from 'vitest';
import { findLayers } from '../../src/graph/layers.js';
import {
  activationNorm,
  batchNormScale,
  fisher,
  fluctuation,
  fpgm,
  type Importance,
  type InputStatistics,
  lamp,
  magnitudeLp,
  planPruning,
  random,
  ria,
  snip,
  snipMomentum,
  taylor,
  wanda,
} from '../../src/prune/index.js';
import { chain, constant, everyKind, randomConstant, seeded } from './graphs.js';

/** One MatMul of 2 inputs by 3 outputs; weights are stored [inputs, outputs]. */
const product = chain([{ name: 'a', op: 'MatMul', weight: 'w' }], {
  w: constant([2, 3], [1, -2, 3, 4, 5, -6]),
});
const [layer] = findLayers(product);
const ordered = new Float32Array([1, 4, -2, 5, 3, -6]); // [outputs, inputs]

function score(importance: Importance): number[] {
  if (layer === undefined) throw new Error('no layer');
  return Array.from(importance(layer, ordered.slice()));
}

const statistics = new Map<string, InputStatistics>([
  ['w', { rows: 4, squares: Float64Array.of(9, 16), sums: Float64Array.of(0, 0) }],
]);

describe('importance, against values worked out by hand', () => {
  test('magnitudeLp', () => {
    expect(score(magnitudeLp(2))).toEqual([1, 16, 4, 25, 9, 36]);
    expect(() => magnitudeLp(0)).toThrow(/p above 0, got 0/);
  });

  test('wanda and activation norms: inputs of norms 3 and 4', () => {
    expect(score(wanda(statistics))).toEqual([3, 16, 6, 20, 9, 24]);
    expect(score(activationNorm(statistics))).toEqual([3, 4, 3, 4, 3, 4]);
    expect(() => score(wanda(new Map()))).toThrow(
      /statistics of the 2 inputs of layer "a" under "w", got none/,
    );
  });

  test('fluctuation: squares times the variance of inputs', () => {
    // 4 rows: squares 9 and 16, sums 4 and 8: variances 9 / 4 - 1 and 16 / 4 - 4.
    const varying = new Map<string, InputStatistics>([
      ['w', { rows: 4, squares: Float64Array.of(9, 16), sums: Float64Array.of(4, 8) }],
    ]);
    const expected = [1.25, 0, 5, 0, 11.25, 0];
    score(fluctuation(varying)).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] as number, 12);
    });
  });

  test('ria: shares of row and column times the root of the norm', () => {
    const expected = [
      [1, 5, 6],
      [4, 5, 15],
      [2, 7, 6],
      [5, 7, 15],
      [3, 9, 6],
      [6, 9, 15],
    ].map(([w = 0, row = 1, column = 1], i) => (w / row + w / column) * Math.sqrt(i % 2 === 0 ? 3 : 4));
    score(ria(statistics)).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] as number, 12);
    });
  });

  test('lamp: squares over the sum of those that are no smaller', () => {
    const sums = [91, 77, 90, 61, 86, 36];
    expect(score(lamp)).toEqual([1, 16, 4, 25, 9, 36].map((square, i) => square / (sums[i] as number)));
  });

  test('fpgm: distances of every output to all others', () => {
    const [a, b, c] = [Math.hypot(3, -1), Math.hypot(2, 10), Math.hypot(5, 11)]; // |F0-F1|, |F0-F2|, |F1-F2| swapped signs
    const distances = [a + b, a + Math.hypot(-5, 11), b + c];
    score(fpgm).forEach((value, i) => {
      expect(value).toBeCloseTo(distances[i >> 1] as number, 6);
    });
  });

  test('gradients lie as the weights of the constant do', () => {
    const gradients = new Map([['w', constant([2, 3], [1, 10, 100, 2, 20, 200])]]);
    expect(score(snip(gradients))).toEqual([1, 8, 20, 100, 300, 1200]);
    expect(score(taylor(gradients))).toEqual([1, 64, 400, 10000, 90000, 1440000]);
    expect(score(fisher(gradients))).toEqual([0.5, 16, 20, 250, 450, 3600]);
    expect(() => score(snip(new Map()))).toThrow(
      /gradient of 6 values for weight "w" of layer "a", got none/,
    );
  });

  test('gradients of several batches', () => {
    const batches = [
      new Map([['w', constant([2, 3], [1, 10, 100, 2, 20, 200])]]),
      new Map([['w', constant([2, 3], [-3, 10, 300, 2, -40, 0])]]),
    ];
    // [outputs, inputs]: gradients of the first batch are 1, 2, 10, 20, 100, 200, those of the second -3, 2, 10, -40, 300, 0.
    expect(score(snip(batches))).toEqual([1, 8, 20, 50, 600, 600]);
    expect(score(taylor(batches))).toEqual([5, 64, 400, 25000, 450000, 720000]);
    expect(score(fisher(batches))).toEqual([-0.5, 16, 20, -125, 900, 1800]);
    const summed = [4, 16, 40, 300, 1200, 1200];
    score(snipMomentum(batches)).forEach((value, i) => {
      expect(value).toBeCloseTo(0.9 * (summed[i] as number), 9);
    });
    // What came before counts half as much.
    const halved = [0.5 + 3, 4 + 8, 10 + 20, 50 + 200, 150 + 900, 600];
    expect(score(snipMomentum(batches, { decay: 0.5, rate: 1 }))).toEqual(halved);
  });

  test('bn: the scale behind the convolution, else the magnitude', () => {
    const seed = seeded(1);
    const graph = chain([{ name: 'c', op: 'Conv', weight: 'w' }], { w: randomConstant([2, 1, 1], seed) });
    const normalise = {
      name: 'bn',
      op: 'BatchNormalization',
      domain: '',
      inputs: ['y0', 'gamma', 'beta', 'mean', 'variance'],
      outputs: ['z'],
      attributes: new Map(),
    };
    const constants = new Map(graph.constants).set('gamma', constant([2], [-3, 2]));
    const [convolution] = findLayers(graph);
    if (convolution === undefined) throw new Error('no layer');
    const weights = Float32Array.of(-7, 5);
    const scaled = batchNormScale({ ...graph, constants, nodes: [...graph.nodes, normalise] });
    expect(Array.from(scaled(convolution, weights))).toEqual([3, 2]);
    expect(Array.from(batchNormScale(graph)(convolution, weights))).toEqual([7, 5]);
  });

  test('random depends on the seed and nothing else', () => {
    expect(score(random(1))).toEqual(score(random(1)));
    expect(score(random(1))).not.toEqual(score(random(2)));
    expect(score(random(1)).every((value) => value >= 0 && value < 1)).toBe(true);
  });
});

describe('row scope', () => {
  test('every row of units loses the same share, in every pattern', () => {
    for (const pattern of ['unstructured', '4x1', '3x5'] as const) {
      const plan = planPruning(everyKind(3), { sparsity: 0.6, pattern, scope: 'row' });
      for (const { inputs, outputs, groups, units, removedUnits, name } of plan.layers) {
        const [rows, columns] = pattern === 'unstructured' ? [1, 1] : pattern.split('x').map(Number);
        const perRow = Math.ceil(inputs / (columns ?? 1));
        const rowCount = groups * Math.ceil(outputs / (rows ?? 1));
        expect(units).toBe(perRow * rowCount);
        expect(removedUnits, name).toBe(Math.min(Math.round(0.6 * perRow), perRow - 1) * rowCount);
      }
    }
  });
});
