import { describe, expect, test } from 'vitest';
import { interpolate, predictCost, storedBytes } from '../../src/sparse/cost.js';
import { cacheBytes, ratesOfIsa } from '../../src/sparse/rates.js';
import { weightFormats } from '../../src/sparse/weight_formats.js';
import { analysisOf } from './layers.js';

const isas = Object.keys(ratesOfIsa);
const layer = analysisOf({ pattern: '16x1', sparsity: 0.5, outputs: 256, inputs: 256 });

describe('predictCost', () => {
  test.each(isas)('%s: more tokens, images or weights never cost less', (isa) => {
    const more = analysisOf({ pattern: '16x1', sparsity: 0.25, outputs: 256, inputs: 256 });
    for (const format of weightFormats) {
      const cost = (n: number, batch = 1, analysis = layer) =>
        predictCost(analysis, format, { n, batch, isa }).microseconds;
      for (const n of [17, 40, 64, 400]) expect(cost(n + 1)).toBeGreaterThan(cost(n));
      expect(cost(64, 3)).toBeCloseTo(3 * cost(64));
      expect(cost(64, 1, more)).toBeGreaterThanOrEqual(cost(64));
    }
  });

  test('one token takes as long as its weights take to come from the cache that holds the model', () => {
    const cost = (modelWeights: number) =>
      predictCost(layer, 'dense', { n: 1, isa: 'avx512', modelWeights }).microseconds;
    const bytes = storedBytes(layer, 'dense', 'float32');
    const [small, large] = [cacheBytes.L2 / 8, cacheBytes.L3];
    expect(cost(small)).toBeLessThan(cost(large));
    const { bandwidth } = ratesOfIsa['avx512'] ?? { bandwidth: { memory: Number.NaN } };
    expect(cost(large)).toBeCloseTo(bytes / (bandwidth.memory * 1000));
  });

  test('float16 halves what is read', () => {
    const cost = (storage: 'float16' | 'float32') =>
      predictCost(layer, 'dense', { n: 1, isa: 'avx512', modelWeights: 1e9, storage }).microseconds;
    expect(cost('float16')).toBeCloseTo(cost('float32') / 2);
  });

  test('single weights cost more in a convolution, whose rows lie apart', () => {
    const cost = (op: 'Gemm' | 'Conv') =>
      predictCost({ ...layer, op }, 'sell', { n: 400, isa: 'avx512' }).microseconds;
    expect(cost('Conv')).toBeGreaterThan(cost('Gemm'));
  });

  test('an instruction set that the table does not know is taken as scalar', () => {
    for (const isa of ['scalar', 'other']) {
      expect(predictCost(layer, 'dense', { n: 1, isa })).toEqual(
        predictCost(layer, 'dense', { n: 1, isa: 'scalar' }),
      );
    }
  });
});

test('figures by density are interpolated, and hold beyond their ends', () => {
  const rate = [
    [0.5, 10],
    [0.1, 30],
  ] as const;
  expect([1, 0.5, 0.3, 0.1, 0].map((density) => interpolate(rate, density))).toEqual([10, 10, 20, 30, 30]);
  expect(interpolate(7, 0.3)).toBe(7);
});
