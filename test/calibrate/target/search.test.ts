import { describe, expect, test } from 'vitest';
import { lowestLevel } from '../../../src/calibrate/target/search.js';
import { EspalierError } from '../../../src/index.js';

/** Searches on amounts that are a function of the level; says how often it measured. */
async function search(amount: (level: number) => number, limit: number, predict = amount, largestLevel = 1) {
  const levels: number[] = [];
  const attempt = async (level: number) => {
    levels.push(level);
    return { level, amount: amount(level), result: `at ${level}` };
  };
  const dense = { level: 0, amount: amount(0), result: 'dense' };
  const options = {
    quantity: 'p99Milliseconds',
    limit,
    largestLevel,
    predict,
    attempt,
    known: [dense],
  } as const;
  return { found: await lowestLevel(options), levels };
}

describe('lowestLevel', () => {
  test('an exact prediction takes one measurement', async () => {
    const { found, levels } = await search((level) => 10 - 8 * level, 5);
    expect(levels).toEqual([found.level]);
    expect(found.level).toBeGreaterThanOrEqual(0.625);
    expect(found.level).toBeLessThan(0.625 + 1 / 256);
    expect(found.result).toBe(`at ${found.level}`);
  });

  test('a dense network that meets the target is left alone', async () => {
    const { found, levels } = await search((level) => 10 - level, 10);
    expect(found).toMatchObject({ level: 0, result: 'dense' });
    expect(levels).toEqual([]);
  });

  test.each<[string, (level: number) => number, (level: number) => number]>([
    ['too hopeful', (level) => 10 - 4 * level, (level) => 10 - 9 * level],
    ['too careful', (level) => 10 - 9 * level, (level) => 10 - 4.1 * level],
    ['of the wrong size', (level) => 10 - 8 * level, (level) => 3 - 2 * level],
    [
      'flat where the truth is steep',
      (level) => (level < 0.5 ? 10 : 10 - 18 * (level - 0.5)),
      (level) => 10 - 4 * level,
    ],
  ])('a prediction that is %s still leads there', async (_, amount, predict) => {
    const { found, levels } = await search(amount, 6.5, predict);
    expect(found.amount).toBeLessThanOrEqual(6.5);
    expect(found.amount).toBeGreaterThan(0.8 * 6.5);
    expect(levels.length).toBeLessThanOrEqual(7);
  });

  test('what cannot be met is an error that says what was reached', async () => {
    const failed = await search((level) => 10 - 4 * level, 5).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(EspalierError);
    expect((failed as EspalierError).code).toBe('ERR_ESPALIER_TARGET');
    expect((failed as EspalierError).message).toBe(
      'Expected a p99 of 5.000 ms at most; the least that pruning reached is a p99 of 6.000 ms',
    );
    await expect(search((level) => 10 - 4 * level, 7, undefined, 0.5)).rejects.toThrow(/a p99 of 8.000 ms$/);
  });

  test('of a clock that lies now and then the network that was measured fast enough is taken', async () => {
    let calls = 0;
    const noisy = (level: number) => (10 - 8 * level) * (calls++ % 2 === 0 ? 1 : 1.15);
    const { found } = await search(noisy, 5, (level) => 10 - 8 * level);
    expect(found.amount).toBeLessThanOrEqual(5);
  });
});
