import { describe, expect, test } from 'vitest';
import { benchSession } from '../../src/evaluate/bench.js';
import { randomFeeds, seededRandom } from '../../src/evaluate/feeds.js';
import { summarize } from '../../src/evaluate/latency.js';
import { parseCpuMax } from '../../src/evaluate/machine.js';
import { bytes, count, milliseconds, percent, printable, shortCount, table } from '../../src/text.js';

describe('summarize', () => {
  test('nearest-rank percentiles of samples in any order', () => {
    const samples = Array.from({ length: 200 }, (_, i) => ((i * 77) % 200) + 1); // 1 to 200
    expect(summarize(samples)).toEqual({
      runs: 200,
      p50: 100,
      p99: 198,
      max: 200,
      mean: 100.5,
      runsPerSecond: 1000 / 100.5,
    });
    expect(summarize([4])).toMatchObject({ runs: 1, p50: 4, p99: 4, max: 4, mean: 4, runsPerSecond: 250 });
    expect(samples[1]).toBe(78); // left as it was
  });

  test.each([[[]], [[1, Number.NaN]], [[-1, 2]], [[1, Number.POSITIVE_INFINITY]]])(
    '%j is an error',
    (samples) => {
      expect(() => summarize(samples)).toThrow(/Expected samples in milliseconds, got/);
    },
  );
});

describe('benchSession', () => {
  test('runs warm-up and timed runs, in order, and reports progress to the end', () => {
    let calls = 0;
    const shares: number[] = [];
    const session = {
      runSync: () => {
        calls++;
      },
    };
    const latency = benchSession(
      session,
      {},
      { runs: 5, warmup: 2, onProgress: (share) => shares.push(share) },
    );
    expect({ calls, runs: latency.runs }).toEqual({ calls: 7, runs: 5 });
    expect(shares).toEqual([0.2, 0.4, 0.6, 0.8, 1]);
  });

  test('stops after the time it was given, though not before one run', () => {
    const slow = {
      runSync: () => {
        const end = performance.now() + 5;
        while (performance.now() < end);
      },
    };
    expect(benchSession(slow, {}, { seconds: 0.001, warmup: 0 }).runs).toBe(1);
    const { runs } = benchSession(slow, {}, { seconds: 0.05, warmup: 0 });
    expect(runs).toBeGreaterThan(1);
    expect(runs).toBeLessThanOrEqual(10);
  });

  test('unknown options name the nearest', () => {
    const options: object = { run: 3 };
    expect(() => benchSession({ runSync: () => {} }, {}, options)).toThrow(
      'Unknown key "run" in benchSession options; did you mean "runs"?',
    );
  });
});

describe('randomFeeds', () => {
  const inputs = [
    { name: 'f', type: 'float32', dims: ['batch', 1000] },
    { name: 'h', type: 'float16', dims: [4] },
    { name: 'i', type: 'int64', dims: [64] },
    { name: 'b', type: 'bool', dims: [] },
  ] as const;
  const shapes = new Map([['f', [10, 1000]]]);

  test('the same seed gives the same feeds, normal for floats and 0 or 1 for the rest', () => {
    const feeds = randomFeeds(inputs, { shapes, seed: 5 });
    expect(randomFeeds(inputs, { shapes, seed: 5 })).toEqual(feeds);
    expect(randomFeeds(inputs, { shapes, seed: 6 })).not.toEqual(feeds);
    const values = feeds['f']?.data as Float32Array;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.05);
    expect(Math.abs(variance - 1)).toBeLessThan(0.1);
    expect(new Set(feeds['i']?.data as BigInt64Array)).toEqual(new Set([0n, 1n]));
    expect(feeds['b']?.dims).toEqual([]);
    expect(feeds['h']?.data).toBeInstanceOf(Uint16Array);
  });

  test('a shape for no input, or one that does not fit, is an error', () => {
    expect(() => randomFeeds(inputs, { shapes: new Map([['ff', [1]]]) })).toThrow(
      'Unknown input "ff"; did you mean "f"?',
    );
    expect(() => randomFeeds(inputs, { shapes: new Map([['f', [1, 2]]]) })).toThrow(
      'fits [batch, 1000], got [1, 2]',
    );
    expect(() => randomFeeds(inputs)).toThrow('Expected a shape for input "f"');
  });

  test('the generator is uniform', () => {
    const random = seededRandom(1);
    const values = Array.from({ length: 10_000 }, random);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(values.reduce((a, b) => a + b) / 10_000).toBeCloseTo(0.5, 1);
  });
});

test('numbers in human units', () => {
  expect([0, 999, 1000, 45_600, 1_230_000].map(shortCount)).toEqual([
    '0',
    '999',
    '1.00 k',
    '45.6 k',
    '1.23 M',
  ]);
  expect([12, 1024, 1_572_864].map(bytes)).toEqual(['12 B', '1.00 KiB', '1.50 MiB']);
  expect([0, 0.0456, 7.891, 12_345].map(milliseconds)).toEqual(['0.00 ms', '45.6 us', '7.89 ms', '12.3 s']);
  expect([count(1_234_567), percent(0.8), printable('a\u001b[2Jb')]).toEqual([
    '1,234,567',
    '80.0 %',
    'a\\u001b[2Jb',
  ]);
  expect(
    table(
      ['a', 'n'],
      [
        ['x', '1'],
        ['long', '100'],
      ],
      ['n'],
    ),
  ).toBe('a       n\nx       1\nlong  100');
});

test('control group limits', () => {
  expect(parseCpuMax('150000 100000\n')).toBe(1.5);
  for (const text of ['max 100000', '', undefined, '1 0', 'x']) expect(parseCpuMax(text)).toBeNull();
});
