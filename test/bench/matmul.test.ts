import { describe, expect, it } from 'vitest';
import { evaluateBars } from '../../bench/lib/matmul/bars.mjs';
import { combine, dense, type Pattern, shapeSets } from '../../bench/lib/matmul/cases.mjs';
import { figurePoints } from '../../bench/lib/matmul/figure.mjs';
import { barsMarkdown } from '../../bench/lib/matmul/markdown.mjs';
import { losing, type Row } from '../../bench/lib/matmul/rows.mjs';
import { makeMask, makeWeights } from '../../bench/lib/matmul/weights.mjs';
import { interleave, medianOf, type Ratio, ratioOf, timeRounds } from '../../bench/lib/rounds.mjs';

const shape = { inputs: 48, outputs: 64 };
const sum = (values: Uint8Array) => values.reduce((total, value) => total + value, 0);

describe('makeMask', () => {
  it.each<[Pattern, number]>([
    ['16x1', 16],
    ['8x1', 8],
    ['4x1', 4],
    ['unstructured', 1],
  ])('keeps exactly the wanted number of %s blocks, each whole', (pattern, rows) => {
    const mask = makeMask(shape, { pattern, sparsity: 0.9 });
    const units = (48 * 64) / rows;
    expect(sum(mask)).toBe(rows * (units - Math.round(0.9 * units)));
    for (let unit = 0; unit < units; unit++)
      expect([0, rows]).toContain(sum(mask.subarray(unit * rows, (unit + 1) * rows)));
  });

  it('keeps two of every four inputs of an output for 2:4', () => {
    const mask = makeMask(shape, { pattern: '2:4', sparsity: 0.5 });
    for (let group = 0; group < 12; group++) {
      for (let output = 0; output < 64; output++) {
        const kept = [0, 1, 2, 3].map((input) => mask[(4 * group + input) * 64 + output] ?? 0);
        expect(kept.reduce((total, value) => total + value)).toBe(2);
      }
    }
  });

  it('is the same each time', () => {
    const zeros = { pattern: 'unstructured', sparsity: 0.7 } as const;
    expect(makeWeights(shape, zeros)).toEqual(makeWeights(shape, zeros));
  });
});

describe('combine', () => {
  it('puts dense first, and 2:4 at half alone', () => {
    expect(combine({ patterns: ['2:4', '4x1'], sparsities: [0.9, 0, 0.5] })).toEqual([
      dense,
      { pattern: '2:4', sparsity: 0.5 },
      { pattern: '4x1', sparsity: 0.5 },
      { pattern: '4x1', sparsity: 0.9 },
    ]);
  });
});

/** An engine that takes these milliseconds, turn by turn. */
const engine = (...turns: number[]) => ({ time: async () => Float64Array.of(turns.shift() ?? Number.NaN) });

describe('timeRounds', () => {
  it('has every reference beside every subject', () => {
    expect(interleave(['a', 'b', 'c'], ['R', 'D'])).toEqual(['R', 'a', 'D', 'b', 'R', 'c', 'D']);
  });

  it('compares neighbours in time, so that a slow second does not count', async () => {
    const reference = engine(9, 4, 40, 4); // the first turn is warm-up; the machine is slow in the second round
    const subject = engine(9, 1, 10, 2);
    const rounds = await timeRounds([reference, subject], { rounds: 3, milliseconds: 1 });
    const ratio = ratioOf(rounds, subject, reference);
    expect(ratio).toEqual({ median: 4, low: 2, high: 4, ofMedians: 2 });
    expect(medianOf(rounds, subject)).toBe(2);
  });
});

const ratio = (median: number): Ratio => ({ median, low: median, high: median, ofMedians: median });
const row = (more: Partial<Row>): Row => ({
  engine: 'espalier',
  inputs: 768,
  outputs: 768,
  tokens: 1,
  pattern: '16x1',
  sparsity: 0.9,
  nonZeros: 1,
  error: 0,
  p50: 1,
  ...more,
});

describe('evaluateBars', () => {
  it('takes the geometric mean over the bar shapes and marks what falls short', () => {
    const [bar] = shapeSets.bars;
    const rows = [
      row({ ...bar, toOnnxruntime: ratio(4) }),
      row({ outputs: 3072, toOnnxruntime: ratio(9) }),
      row({ inputs: 384, outputs: 384, toOnnxruntime: ratio(100) }),
      row({ engine: 'eigen', toOnnxruntime: ratio(100) }),
    ];
    const line = evaluateBars(rows).find(({ title }) => title === '16x1 blocks, N = 1');
    const cell = line?.cells[4];
    expect(cell?.measured).toBeCloseTo(6);
    expect(cell).toMatchObject({ bar: 15, short: true });
    expect(line?.cells[5]).toEqual({ bar: 24, measured: undefined, short: false });
  });
});

describe('losing', () => {
  it('names what is slower than onnxruntime dense, or clearly slower than espalier dense', () => {
    const rows = [
      row({ toOnnxruntime: ratio(0.99), toDense: ratio(2) }),
      row({ toOnnxruntime: ratio(2), toDense: ratio(0.96) }),
      row({ toOnnxruntime: ratio(1), toDense: ratio(0.98) }),
      row({ engine: 'eigen', toOnnxruntime: ratio(0.5) }),
    ];
    expect(losing(rows)).toEqual(rows.slice(0, 2));
  });
});

describe('reports', () => {
  it('draws a line for each pattern that was run, from the dense layer on', () => {
    const rows = [
      row({ pattern: 'dense', sparsity: 0, toOnnxruntime: ratio(1) }),
      row({ toOnnxruntime: ratio(4) }),
      row({ outputs: 3072, toOnnxruntime: ratio(9) }),
    ];
    const points = figurePoints(rows).map(({ panel, pattern, speedup }) => [
      panel,
      pattern,
      Math.round(speedup),
    ]);
    expect(points).toEqual([
      ['N = 1', '16x1', 1],
      ['N = 1', '16x1', 6],
    ]);
  });

  it('say so when nothing was measured', () => {
    expect(barsMarkdown(undefined)).toContain('Not measured yet');
  });
});
