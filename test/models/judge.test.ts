import { describe, expect, it } from 'vitest';
import { largestError, tolerance } from '../../bench/lib/compare.mjs';
import type { ValuesByName } from '../../bench/lib/engines.mjs';
import { judge } from '../../bench/lib/judge.mjs';

const values = (...data: number[]) => ({ data: Float32Array.from(data), dims: [data.length] });
const probe = { output: 'y', value: 'x' };

function judged(
  expected: ValuesByName,
  actual: ValuesByName,
  unoptimised = expected,
  inner = { expected: { x: values(1, 2) }, actual: { x: values(1, 2) } },
) {
  return judge({
    expected,
    actual,
    probe,
    unoptimised: async () => unoptimised,
    probed: async () => inner,
  });
}

describe('largestError', () => {
  it('is the largest difference relative to the largest value', () => {
    expect(largestError({ y: values(1, -4) }, { y: values(1, -3) })).toBe(0.25);
  });

  it.each([
    ['a missing output', {}],
    ['other dims', { y: values(1) }],
    ['a value that is not a number', { y: values(1, Number.NaN) }],
  ])('is infinite for %s', (_, actual: ValuesByName) => {
    expect(largestError({ y: values(1, 2) }, actual)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('judge', () => {
  it('compares an output that is determined, whatever its probe says', async () => {
    const { error, undetermined } = await judged({ y: values(1, 0) }, { y: values(0, 1) });
    expect(error).toBe(1);
    expect(undetermined).toEqual([]);
  });

  it('compares the probe where the reference disagrees with itself', async () => {
    const inner = { expected: { x: values(1, 2) }, actual: { x: values(1, 2.5) } };
    const flipped = { y: values(0, 1) };
    const { error, undetermined } = await judged({ y: values(1, 0) }, flipped, flipped, inner);
    expect(error).toBe(0.25);
    expect(undetermined).toEqual(['y']);
  });

  it('compares the probe where the reference is all zero and the output nearly so', async () => {
    const { error } = await judged({ y: values(0, 0) }, { y: values(1e-9, 0) });
    expect(error).toBe(0);
    const { error: large } = await judged({ y: values(0, 0) }, { y: values(2 * tolerance, 0) });
    expect(large).toBe(Number.POSITIVE_INFINITY);
  });

  it('fails on an output without a probe', async () => {
    const { error } = await judged({ z: values(1, 0) }, { z: values(0, 1) }, { z: values(0, 1) });
    expect(error).toBe(1);
  });

  it('fails on a value that is not a number', async () => {
    const { error } = await judged({ y: values(0, 0) }, { y: values(Number.NaN, 0) });
    expect(error).toBe(Number.POSITIVE_INFINITY);
  });
});
