import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { LayerRequest } from '../../src/compile/builder.js';
import type { ChoiceContext } from '../../src/sparse/format.js';
import type { WeightFormat } from '../../src/sparse/weight_formats.js';
import { bucketOf } from '../../src/tune/bucket.js';
import { TimingCache } from '../../src/tune/cache.js';
import { type Measure, Tuner } from '../../src/tune/tuner.js';
import { analysisOf, type Pruned } from '../sparse/layers.js';

const pruned = { pattern: '16x1', sparsity: 0.5, outputs: 64, inputs: 64 } as const;

function request(n: number, layer: Pruned = pruned): LayerRequest {
  const analysis = analysisOf(layer);
  const step = { op: 'matmul', x: [n, analysis.inputs], y: [n, analysis.outputs], ints: { n } } as const;
  return { analysis, n, batch: 1, step, matrices: [] };
}

const context = (n: number, more: Partial<ChoiceContext> = {}): ChoiceContext => ({
  n,
  isa: 'avx2',
  ...more,
});

/** Says that `fastest` takes one microsecond and all else two, and writes down what it is asked. */
function clock(fastest: WeightFormat) {
  const asked: { formats: readonly WeightFormat[]; cold: boolean }[] = [];
  const measure: Measure = (_request, formats, { cold }) => {
    asked.push({ formats, cold });
    return new Map(formats.map((format) => [format, format === fastest ? 1 : 2]));
  };
  return { asked, measure };
}

describe('a tuner', () => {
  test('takes what it measures, once for each kind of layer', () => {
    const { asked, measure } = clock('block8');
    const shares: number[] = [];
    const tuner = new Tuner({ threads: 1, measure, cache: undefined, onChoice: () => shares.push(1) });
    for (const n of [64, 64, 80]) {
      const choice = tuner.choose(request(n), context(n));
      expect(choice.format).toBe('block8');
      const times = choice.candidates
        .map((one) => one.measuredMicroseconds)
        .filter((time) => time !== undefined);
      expect(Math.min(...times)).toBeCloseTo(n / 64); // 80 tokens share the figures of 64
    }
    expect(asked).toHaveLength(1);
    expect(asked[0]?.formats).toEqual(expect.arrayContaining(['block16', 'block8', 'dense']));
    expect(shares).toHaveLength(3);
    tuner.choose(request(1), context(1));
    expect(asked).toHaveLength(2);
  });

  test('does not measure what has no zeros', () => {
    const { asked, measure } = clock('block16');
    const tuner = new Tuner({ threads: 1, measure, cache: undefined });
    expect(tuner.choose(request(8, { outputs: 64 }), context(8)).format).toBe('dense');
    expect(asked).toEqual([]);
  });

  test('weights are cold when the model is larger than the second-level cache and each is read once', () => {
    const { asked, measure } = clock('block16');
    const tuner = () => new Tuner({ threads: 1, measure, cache: undefined });
    tuner().choose(request(1), context(1, { modelWeights: 1e4 }));
    tuner().choose(request(1), context(1, { modelWeights: 1e7 }));
    tuner().choose(request(64), context(64, { modelWeights: 1e7 }));
    expect(asked.map(({ cold }) => cold)).toEqual([false, true, false]);
  });

  test('remembers by the cache, and measures again what the cache lacks', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'espalier-tuner-'));
    try {
      const run = (formats?: readonly WeightFormat[]) => {
        const { asked, measure } = clock('block16');
        const tuner = new Tuner({ threads: 1, measure, cache: new TimingCache(folder, 'avx2') });
        expect(tuner.choose(request(64), context(64, { formats })).format).toBe('block16');
        return asked.length;
      };
      expect([run(['block16']), run(['block16']), run(), run(), run(['block16'])]).toEqual([1, 0, 1, 0, 0]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

test('a bucket holds layers of one shape, pattern, tenth of density, class of tokens, storage and threads', () => {
  const bucket = (
    n: number,
    layer: Pruned = pruned,
    storage: 'float32' | 'float16' = 'float32',
    threads = 1,
  ) => bucketOf(request(n, layer), storage, threads);
  const own = bucket(64);
  for (const same of [bucket(64), bucket(17), bucket(64, { ...pruned, sparsity: 0.46 })])
    expect(same).toBe(own);
  const others = [
    bucket(16),
    bucket(64, { ...pruned, sparsity: 0.7 }),
    bucket(64, { ...pruned, pattern: '8x1' }),
    bucket(64, { ...pruned, outputs: 80 }),
    bucket(64, pruned, 'float16'),
    bucket(64, pruned, 'float32', 2),
  ];
  expect(new Set([own, ...others]).size).toBe(others.length + 1);
  const conv = (kernel: readonly number[]): LayerRequest => ({
    ...request(64),
    step: { op: 'conv2d', x: [1, 64, 8, 8], y: [1, 64, 8, 8], ints: { kernel } },
  });
  expect(bucketOf(conv([1, 1]), 'float32', 1)).not.toBe(bucketOf(conv([3, 3]), 'float32', 1));
});
