import { describe, expect, test } from 'vitest';
import type { FormatCandidate, FormatChoice } from '../../src/sparse/format.js';
import type { WeightFormat } from '../../src/sparse/weight_formats.js';
import { decide, rivals } from '../../src/tune/decide.js';

const choice = (
  format: WeightFormat,
  predicted: Readonly<Partial<Record<WeightFormat, number>>>,
): FormatChoice => {
  const candidates = Object.entries(predicted).map(
    ([name, time]): FormatCandidate => ({
      format: name as WeightFormat,
      predictedMicroseconds: time,
      bytes: 1,
    }),
  );
  candidates.sort((a, b) => a.predictedMicroseconds - b.predictedMicroseconds);
  return { format, storage: 'float32', winograd: false, reason: 'model', candidates };
};

const measured = (times: Readonly<Partial<Record<WeightFormat, number>>>) =>
  new Map(Object.entries(times) as [WeightFormat, number][]);

describe('rivals', () => {
  test('are what is predicted close to the best, and dense', () => {
    const formats = rivals(choice('block16', { block16: 10, block8: 16, block4: 16.1, csr: 40, dense: 50 }));
    expect(formats).toEqual(['block16', 'block8', 'dense']);
  });

  test('are none when dense is alone', () => {
    expect(rivals(choice('dense', { dense: 10, csr: 17 }))).toEqual([]);
  });
});

describe('decide', () => {
  const model = choice('block16', { block16: 10, block8: 11, dense: 12 });

  test.each([
    [{ block16: 10, block8: 9.4, dense: 20 }, 'block8', 'a clear gain over the choice of the model'],
    [{ block16: 10, block8: 9.6, dense: 20 }, 'block16', 'noise'],
    [{ block16: 10, block8: 12, dense: 9.8 }, 'dense', 'no gain over dense'],
    [{ block16: 10, block8: 12, dense: 10.2 }, 'dense', 'less than 3 % over dense'],
    [{ block16: 10, block8: 12, dense: 10.4 }, 'block16', 'more than 3 % over dense'],
    [{ block16: 10, block8: 9.4, dense: 9.5 }, 'dense', 'the better one does not pay either'],
  ] as const)('%j: %s, for %s', (times, format, _why) => {
    const decided = decide(model, measured(times));
    expect(decided.format).toBe(format);
    expect(decided.reason).toMatch(/^measured: /);
    expect(decided.candidates.map((one) => [one.format, one.measuredMicroseconds])).toEqual([
      ['block16', times.block16],
      ['block8', times.block8],
      ['dense', times.dense],
    ]);
  });

  test('a dense choice leaves only for a clear gain', () => {
    const dense = choice('dense', { dense: 10, sell: 10 });
    expect(decide(dense, measured({ dense: 10, sell: 9.6 })).format).toBe('dense');
    expect(decide(dense, measured({ dense: 10, sell: 9.4 })).format).toBe('sell');
  });
});
