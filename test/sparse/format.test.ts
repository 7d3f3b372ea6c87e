import { describe, expect, test } from 'vitest';
import { findLayers } from '../../src/graph/layers.js';
import { applyPruning } from '../../src/prune/apply.js';
import { planPruning } from '../../src/prune/plan.js';
import { analyzeLayer } from '../../src/sparse/analyze.js';
import { atSparsity, changesAt } from '../../src/sparse/crossover.js';
import { chooseFormat } from '../../src/sparse/format.js';
import { ratesOfIsa, sparseMargin } from '../../src/sparse/rates.js';
import { weightFormats } from '../../src/sparse/weight_formats.js';
import { everyKind } from '../prune/graphs.js';
import { analysisOf } from './layers.js';

const isas = Object.keys(ratesOfIsa);
const tokens = [1, 3, 16, 64, 400];
const patterns = ['unstructured', '16x1', '8x1', '4x1', '4x4', '1x4'] as const;

describe('chooseFormat', () => {
  test.each(isas)('%s: little sparsity stays dense, blocks that lie in a format go there', (isa) => {
    for (const n of tokens) {
      for (const pattern of patterns) {
        expect(chooseFormat(analysisOf({ pattern, sparsity: 0.02 }), { n, isa }).format).toBe('dense');
      }
      for (const [pattern, format] of [
        ['16x1', 'block16'],
        ['8x1', 'block8'],
        ['4x1', 'block4'],
      ] as const) {
        const choice = chooseFormat(analysisOf({ pattern, sparsity: 0.8 }), { n, isa });
        // A few tokens fill the lanes of tall blocks alone, so a taller one, half empty, may be as good.
        const few = n > 1 && n <= 16;
        const height = (name: string) => Number(/^block(\d+)$/.exec(name)?.[1] ?? 0);
        if (few) expect(height(choice.format)).toBeGreaterThanOrEqual(height(format));
        else expect([pattern, n, choice.format]).toEqual([pattern, n, format]);
      }
    }
  });

  test.each(isas)('%s: is never predicted slower than dense, and is the cheapest that pays', (isa) => {
    for (const n of tokens) {
      for (const pattern of patterns) {
        for (const sparsity of [0.1, 0.3, 0.5, 0.7, 0.9, 0.99]) {
          const { format, candidates } = chooseFormat(analysisOf({ pattern, sparsity }), { n, isa });
          const times = candidates.map(({ predictedMicroseconds }) => predictedMicroseconds);
          expect(times).toEqual(times.toSorted((a, b) => a - b));
          const of = (wanted: string) =>
            candidates.find((candidate) => candidate.format === wanted)?.predictedMicroseconds ?? Number.NaN;
          const limit = of('dense') * (1 - sparseMargin);
          if (format === 'dense') expect(times[0]).toBeGreaterThan(limit);
          else expect([times[0], of(format) <= limit]).toEqual([of(format), true]);
        }
      }
    }
  });

  test('single zeros: one token of a product has a format of its own, convolutions do not use it', () => {
    const single = { pattern: 'unstructured', sparsity: 0.9, inputs: 384 } as const;
    const choose = (op: 'Gemm' | 'Conv', n: number) =>
      chooseFormat(analysisOf({ ...single, op }), { n, isa: 'avx512' });
    expect([choose('Gemm', 1).format, choose('Gemm', 64).format]).toEqual(['ell', 'sell']);
    expect(choose('Conv', 64).format).toBe('sell');
    for (const choice of [choose('Conv', 1), choose('Gemm', 2)])
      expect(choice.candidates.map(({ format }) => format)).not.toContain('ell');
  });

  test('groups that fill their windows make N:M cheaper than chance for one token', () => {
    const at = (pattern: 'unstructured' | '1:4') =>
      chooseFormat(analysisOf({ pattern, sparsity: 0.75 }), { n: 1, isa: 'avx512' }).candidates.find(
        ({ format }) => format === 'ell',
      );
    expect(at('1:4')?.bytes).toBeLessThan((at('unstructured')?.bytes ?? 0) * 0.95);
  });

  test('weights that have to be streamed pay sooner than weights in cache', () => {
    const analysis = analysisOf({ pattern: 'unstructured', sparsity: 0.35 });
    expect(chooseFormat(analysis, { n: 1, isa: 'avx512' }).format).toBe('dense');
    expect(chooseFormat(analysis, { n: 1, isa: 'avx512', modelWeights: 1e8 }).format).toBe('ell');
  });

  test('only dense and csr hold more inputs than 16 bits count', () => {
    const { candidates } = chooseFormat(
      { ...analysisOf({ pattern: '16x1', sparsity: 0.9 }), inputs: 65537 },
      { n: 8, isa: 'avx512' },
    );
    expect(candidates.map(({ format }) => format).sort()).toEqual(['csr', 'dense']);
  });

  test('takes from the formats it is given, and dense', () => {
    const analysis = analysisOf({ pattern: 'unstructured', sparsity: 0.95 });
    const choose = (formats: readonly (typeof weightFormats)[number][]) =>
      chooseFormat(analysis, { n: 64, isa: 'avx512', formats });
    expect(choose([]).format).toBe('dense');
    expect(choose(['csr']).format).toBe('csr');
    expect(choose(weightFormats).format).toBe('sell');
  });

  test('float16 only where it holds every weight', () => {
    const analysis = analysisOf({ pattern: '16x1', sparsity: 0.5 });
    const storage = (largest: number) =>
      chooseFormat({ ...analysis, largest }, { n: 1, isa: 'avx2', storage: 'float16' }).storage;
    expect([1, 65504, 65505, Infinity, Number.NaN].map(storage)).toEqual([
      'float16',
      'float16',
      'float32',
      'float32',
      'float32',
    ]);
    const csr = { n: 1, isa: 'avx2', storage: 'float16', formats: ['csr'] } as const;
    const single = analysisOf({ pattern: 'unstructured', sparsity: 0.99 });
    expect(chooseFormat(single, csr)).toMatchObject({ format: 'csr', storage: 'float32' });
    const bytes = (kind: 'float16' | 'float32') =>
      chooseFormat(analysis, { n: 1, isa: 'avx2', storage: kind }).candidates.find(
        ({ format }) => format === 'dense',
      )?.bytes;
    expect(bytes('float16')).toBe((bytes('float32') as number) / 2);
  });

  test('a dense layer of few outputs stays dense, however much padding that costs', () => {
    for (const outputs of [1, 2, 4, 8])
      expect(chooseFormat(analysisOf({ outputs }), { n: 64, isa: 'avx2' }).format).toBe('dense');
  });

  test('a depthwise convolution is dense', () => {
    const graph = everyKind(1);
    const pruned = applyPruning(graph, planPruning(graph, { sparsity: 0.9, include: ['depthwise'] }));
    const layer = findLayers(pruned).find(({ name }) => name === 'depthwise');
    expect(layer && chooseFormat(analyzeLayer(pruned, layer), { n: 64, isa: 'avx2' }).format).toBe('dense');
  });
});

describe('changesAt', () => {
  const contexts = isas.flatMap((isa) => [1, 64].map((n) => ({ isa, n })));
  test.each(contexts)('$isa, $n tokens: the choice is another to its other side', ({ isa, n }) => {
    for (const pattern of ['unstructured', '16x1', '4x1'] as const) {
      const start = analysisOf({ outputs: 256, inputs: 256, pattern, sparsity: 0.5 });
      const at = (sparsity: number) => chooseFormat(atSparsity(start, pattern, sparsity), { isa, n }).format;
      const changes = changesAt(start, { isa, n });
      expect(changes.length).toBeGreaterThan(0);
      for (const change of changes) {
        const away = change.sparsity > 0.5 ? 0.002 : -0.002;
        expect(change.pattern).toBe(pattern);
        expect(change.format).not.toBe(at(0.5));
        expect([change, at(change.sparsity - away)]).toEqual([change, at(0.5)]);
        expect([change, at(change.sparsity + away)]).toEqual([change, change.format]);
      }
    }
  });

  test('knows what a layer pruned to another sparsity would store', () => {
    for (const pattern of ['unstructured', '16x1', '8x1', '4x1', '2x2'] as const) {
      for (const [from, to] of [
        [0.5, 0.5],
        [0.5, 0.2],
        [0.5, 0.9],
        [0.9, 0.6],
      ] as const) {
        const layer = (sparsity: number) => analysisOf({ outputs: 256, inputs: 512, pattern, sparsity });
        const [expected, real] = [atSparsity(layer(from), pattern, to), layer(to)];
        expect(expected.zeros / real.zeros).toBeCloseTo(1, 2);
        for (const block of ['16x1', '8x1', '4x1'] as const) {
          const ratio = expected.storedWeights[block] / real.storedWeights[block];
          expect({ pattern, from, to, block, close: Math.abs(ratio - 1) < 0.03, ratio }).toMatchObject({
            close: true,
          });
        }
      }
    }
  });

  test('a dense layer is told of single weights and of blocks', () => {
    const changes = changesAt(analysisOf({}), { isa: 'avx512', n: 64 });
    expect(changes.map(({ pattern, format }) => [pattern, format])).toEqual([
      ['unstructured', 'sell'],
      ['16x1', 'block16'],
    ]);
    const [single, blocks] = changes;
    expect(blocks?.sparsity).toBeLessThan(single?.sparsity ?? 0);
  });
});
