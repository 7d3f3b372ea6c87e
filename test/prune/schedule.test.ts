import { describe, expect, test } from 'vitest';
import { isPruningStep, type Schedule, sparsityAt, stageSparsities } from '../../src/prune/index.js';

const over = (curve: Schedule['curve'], more: Partial<Schedule> = {}) =>
  [0, 25, 50, 100].map((step) => sparsityAt({ curve, to: 0.8, end: 100, ...more }, step));

function closeTo(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i] as number, 12);
  });
}

describe('sparsityAt, worked out by hand', () => {
  test('curves', () => {
    closeTo(over('linear'), [0, 0.2, 0.4, 0.8]);
    closeTo(over('cubic'), [0, 0.8 * (1 - 0.75 ** 3), 0.8 * 0.875, 0.8]);
    closeTo(over('cosine'), [0, 0.4 * (1 - Math.SQRT1_2), 0.4, 0.8]);
    closeTo(over('exponential'), [0, 1 - 0.2 ** 0.25, 1 - 0.2 ** 0.5, 0.8]); // kept falls by the same factor
    closeTo(over('once'), [0.8, 0.8, 0.8, 0.8]);
    closeTo(
      over((progress) => progress ** 2),
      [0, 0.0625, 0.25, 0.8],
    );
    closeTo(over(undefined), over('cubic'));
    closeTo(over('linear', { from: 0.4 }), [0.4, 0.5, 0.6, 0.8]);
    closeTo(over('exponential', { from: 0.5 }), [0.5, 1 - 0.5 * 0.4 ** 0.25, 1 - 0.5 * 0.4 ** 0.5, 0.8]);
  });

  test('begins, ends, and holds between two prunings', () => {
    const schedule: Schedule = { curve: 'linear', from: 0.2, to: 0.8, begin: 10, end: 40, frequency: 10 };
    const at = (step: number) => sparsityAt(schedule, step);
    closeTo(
      [0, 9, 10, 19, 20, 29, 30, 39, 40, 99].map(at),
      [0.2, 0.2, 0.2, 0.2, 0.4, 0.4, 0.6, 0.6, 0.8, 0.8],
    );
    const steps = Array.from({ length: 100 }, (_, step) => step);
    expect(steps.filter((step) => isPruningStep(schedule, step))).toEqual([10, 20, 30, 40]);
  });

  test('stages end at the sparsity', () => {
    closeTo(stageSparsities({ curve: 'linear', to: 0.8 }, 4), [0.2, 0.4, 0.6, 0.8]);
    closeTo(stageSparsities({ to: 0.7 }, 1), [0.7]);
  });
});

test.each<[object, string]>([
  [{ to: 1, end: 3 }, 'Expected schedule.to to be a number in [0, 1), got 1'],
  [
    { to: 0.5, end: 3, curve: 'cubed' },
    'one of cubic, linear, cosine, exponential, once, or a function, got "cubed"',
  ],
  [{ to: 0.5, end: 3, begin: 4 }, 'a schedule that ends no earlier than it begins'],
  [{ to: 0.5, from: 0.6, end: 3 }, 'a schedule whose sparsity does not fall'],
  [{ to: 0.5, end: 3, frequencies: 2 }, 'Unknown key "frequencies" in schedule; did you mean "frequency"?'],
  [{ to: 0.5, end: 3, curve: () => 1 }, 'Expected schedule.curve(progress) to be a number in [0, 1), got 1'],
])('refuses %j', (schedule, message) => {
  expect(() => sparsityAt(schedule as Schedule, 1)).toThrow(message);
});
