import { describe, expect, test } from 'vitest';
import { type AllocatedLayer, allocateSparsity } from '../../src/prune/index.js';

const layers: AllocatedLayer[] = [
  { name: 'stem', units: 16 * 3 * 9, dims: [16, 3, 3, 3], outliers: 3 },
  { name: 'body', units: 64 * 64 * 9, dims: [64, 64, 3, 3], outliers: 1 },
  { name: 'point', units: 128 * 64, dims: [128, 64, 1, 1], outliers: 2 },
  { name: 'head', units: 1000 * 128, dims: [1000, 128], outliers: 2 },
];
const total = layers.reduce((sum, { units }) => sum + units, 0);

function removed(shares: ReadonlyMap<string, number>): number {
  return layers.reduce((sum, { name, units }) => sum + Math.round((shares.get(name) as number) * units), 0);
}

describe('allocateSparsity', () => {
  for (const method of ['er', 'erk', 'owl'] as const) {
    test(`${method} removes exactly the units of the sparsity, within the bounds`, () => {
      for (const sparsity of [0.2, 0.5, 0.8, 0.9]) {
        const shares = allocateSparsity(method, layers, { sparsity, minSparsity: 0.1, maxSparsity: 0.95 });
        expect(removed(shares)).toBe(Math.round(sparsity * total));
        for (const { name, units } of layers) {
          const share = shares.get(name) as number;
          expect(share).toBeGreaterThan(0.1 - 1.5 / units);
          expect(share).toBeLessThan(0.95 + 1.5 / units);
        }
      }
    });
  }

  test('erk: densities keep their ratios where no bound holds them, and full layers are taken out', () => {
    const shares = allocateSparsity('erk', layers, { sparsity: 0.8 });
    expect(shares.get('stem')).toBe(0); // its density would be above 1
    const density = (name: string) => 1 - (shares.get(name) as number);
    const raw = (dims: readonly number[]) =>
      dims.reduce((sum, dim) => sum + dim, 0) / dims.reduce((product, dim) => product * dim, 1);
    const ratio = raw([64, 64, 3, 3]) / raw([1000, 128]);
    expect(density('body') / density('head')).toBeCloseTo(ratio, 3);
  });

  test('owl: more outliers, less sparsity, by at most 0.16', () => {
    const shares = allocateSparsity('owl', layers, { sparsity: 0.7 });
    expect((shares.get('body') as number) - (shares.get('stem') as number)).toBeCloseTo(0.16, 2);
    expect((shares.get('body') as number) - (shares.get('head') as number)).toBeCloseTo(0.08, 2);
  });

  test('bounds that cannot hold the sparsity are refused', () => {
    expect(() => allocateSparsity('er', layers, { sparsity: 0.96, maxSparsity: 0.95 })).toThrow(
      /between minSparsity 0 and maxSparsity 0.95, got 0.96/,
    );
  });
});
