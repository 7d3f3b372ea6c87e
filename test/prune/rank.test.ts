import { expect, test } from 'vitest';
import { flagLowest } from '../../src/prune/rank.js';
import { seeded } from './graphs.js';

function bySorting(scores: Float64Array, k: number): Uint8Array {
  const order = [...scores.keys()].sort((a, b) => {
    const [first, second] = [scores[a] as number, scores[b] as number];
    return first === second ? a - b : first < second ? -1 : 1;
  });
  const flags = new Uint8Array(scores.length);
  for (const i of order.slice(0, k)) flags[i] = 1;
  return flags;
}

test('equals sorting by (score, index), with many ties, for every k', () => {
  const random = seeded(1);
  for (const levels of [1, 2, 3, 10, 1e9]) {
    for (const length of [1, 2, 3, 17, 64]) {
      const scores = Float64Array.from({ length }, () => Math.floor(random() * levels) - levels / 2);
      if (length > 3) scores.set([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, -0], 1);
      for (let k = 0; k <= length; k++) expect(flagLowest(scores, k)).toEqual(bySorting(scores, k));
    }
  }
});

// Quadratic time would be 10^12 steps: the test would not end.
test('a million sorted, reversed and equal scores', () => {
  const length = 1_000_000;
  for (const score of [(i: number) => i, (i: number) => -i, () => 1, (i: number) => i % 2]) {
    const flags = flagLowest(
      Float64Array.from({ length }, (_, i) => score(i)),
      length / 2,
    );
    expect(flags.reduce((sum, flag) => sum + flag, 0)).toBe(length / 2);
  }
});
