import { describe, expect, test } from 'vitest';
import { cheapestChoices, valueAt } from '../../src/prune/curves.js';

test('valueAt is linear between points, and holds beyond them', () => {
  const curve = [
    { sparsity: 0.2, value: 1 },
    { sparsity: 0.6, value: 3 },
  ];
  expect([0, 0.2, 0.3, 0.6, 0.9].map((sparsity) => valueAt(curve, sparsity))).toEqual([1, 1, 1.5, 3, 3]);
  expect(valueAt([], 0.5)).toBe(0);
});

describe('cheapestChoices', () => {
  const from = { sparsity: 0, gain: 0, cost: 0 };

  test('takes the cheapest steps first, the last in part', () => {
    const flat = [from, { sparsity: 0.5, gain: 10, cost: 1 }, { sparsity: 0.9, gain: 20, cost: 4 }];
    const steep = [from, { sparsity: 0.5, gain: 10, cost: 2 }, { sparsity: 0.9, gain: 20, cost: 9 }];
    // Prices: 0.1 and 0.3; 0.2 and 0.7. 25 of gain are 10 of the first, 10 of the second, 5 of the first again.
    expect(cheapestChoices([flat, steep], 25)).toEqual([0.7, 0.5]);
    expect(cheapestChoices([flat, steep], 0)).toEqual([0, 0]);
    expect(cheapestChoices([flat, steep], 1000)).toEqual([0.9, 0.9]);
  });

  test('passes over choices above the lower hull, and those that gain nothing', () => {
    const dented = [from, { sparsity: 0.5, gain: 10, cost: 9 }, { sparsity: 0.8, gain: 20, cost: 10 }];
    const other = [from, { sparsity: 0.5, gain: 10, cost: 6 }];
    // By the hull the first costs 0.5 a unit, the second 0.6: the first is taken whole before the second begins.
    expect(cheapestChoices([dented, other], 20)).toEqual([0.8, 0]);
    const useless = [from, { sparsity: 0.5, gain: -1, cost: 0.1 }, { sparsity: 0.9, gain: 0, cost: 5 }];
    expect(cheapestChoices([useless, other], 10)).toEqual([0, 0.5]);
  });

  test('is the optimum that trying all finds', () => {
    const grid = [0, 0.25, 0.5, 0.75];
    const layers = [1, 3, 0.4].map((weight) =>
      grid.map((sparsity) => ({ sparsity, gain: 4 * sparsity, cost: weight * sparsity ** 2 })),
    );
    let best = Number.POSITIVE_INFINITY;
    for (const a of grid)
      for (const b of grid)
        for (const c of grid)
          if (4 * (a + b + c) === 5) best = Math.min(best, a ** 2 + 3 * b ** 2 + 0.4 * c ** 2);
    const [a = 0, b = 0, c = 0] = cheapestChoices(layers, 5);
    expect(a ** 2 + 3 * b ** 2 + 0.4 * c ** 2).toBeCloseTo(best, 12);
  });
});
