import { describe, expect, test } from 'vitest';
import {
  allocateBySensitivity,
  measureSensitivity,
  parseSensitivity,
  pruneCalibrated,
  type SensitivityReport,
  sensitivityPicture,
} from '../../src/calibrate/index.js';
import type { Graph } from '../../src/graph/graph.js';
import { Tensor } from '../../src/index.js';
import { applyPruning, planPruning } from '../../src/prune/index.js';
import { chain, constant, randomConstant, seeded, values } from '../prune/graphs.js';

const random = seeded(5);
/** y = x A B, x [4, 10], A [10, 8], B [8, 3]. Three in four of A are small, so it bears more than B. */
const graph = chain(
  [
    { name: 'a', op: 'MatMul', weight: 'A' },
    { name: 'b', op: 'MatMul', weight: 'B' },
  ],
  {
    A: constant(
      [10, 8],
      Array.from({ length: 80 }, (_, i) => (random() * 2 - 1) * (i % 4 === 0 ? 1 : 0.01)),
    ),
    B: randomConstant([8, 3], random),
  },
);
const inputs = [0, 1, 2].map(() => Float32Array.from({ length: 40 }, () => random() * 2 - 1));
const samples = inputs.map((data) => ({ x: new Tensor('float32', data, [4, 10]) }));

/** x W in float64. */
function product(x: ArrayLike<number>, w: ArrayLike<number>, cols: number): number[] {
  const depth = w.length / cols;
  return Array.from({ length: (x.length / depth) * cols }, (_, at) => {
    const [row, col] = [Math.floor(at / cols), at % cols];
    let sum = 0;
    for (let k = 0; k < depth; k++) sum += (x[row * depth + k] as number) * (w[k * cols + col] as number);
    return sum;
  });
}

function relative(of: (content: Graph, x: Float32Array) => number[], pruned: Graph): number {
  const sums = inputs.map((x) => {
    const [y, y0] = [of(pruned, x), of(graph, x)];
    return [y.reduce((s, v, i) => s + (v - (y0[i] as number)) ** 2, 0), y0.reduce((s, v) => s + v ** 2, 0)];
  });
  const total = (at: number) => sums.reduce((s, pair) => s + (pair[at] as number), 0);
  return total(0) / total(1);
}

function prunedAlone(name: string, sparsity: number): Graph {
  return applyPruning(graph, planPruning(graph, { sparsity, include: [name] }));
}

const first = (content: Graph, x: Float32Array) => product(x, values(content, 'A'), 8);
const network = (content: Graph, x: Float32Array) => product(first(content, x), values(content, 'B'), 3);

describe('measureSensitivity', () => {
  test.each(['network', 'layer'] as const)(
    'errors of the outputs of the %s, against float64',
    async (measure) => {
      const shares: number[] = [];
      const report = await measureSensitivity(graph, samples, {
        sparsities: [0.75, 0.25, 0.5],
        measure,
        threads: 1,
        onProgress: (share) => shares.push(share),
      });
      expect(report).toMatchObject({ measure, method: 'magnitude', samples: 3, dense: 0 });
      expect(
        report.layers.map(({ name, units, points }) => [name, units, points.map((p) => p.sparsity)]),
      ).toEqual([
        ['a', 80, [0.25, 0.5, 0.75]],
        ['b', 24, [0.25, 0.5, 0.75]],
      ]);
      for (const { name, points } of report.layers) {
        for (const { sparsity, error } of points) {
          const of = measure === 'layer' && name === 'a' ? first : network;
          const expected = relative(of, prunedAlone(name, sparsity));
          expect(expected).toBeGreaterThan(0);
          expect(Math.abs(Math.sqrt(error) - Math.sqrt(expected))).toBeLessThan(1e-5); // float32 runs
        }
      }
      expect(shares.at(-1)).toBe(1);
      expect(shares).toEqual([...shares].sort((a, b) => a - b));
    },
  );

  test("a user's loss, less that of the dense network", async () => {
    const loss = (outputs: ReadonlyMap<string, Tensor>, index: number) => {
      const data = outputs.get('y1')?.data as Float32Array;
      return index + Math.abs(data[0] ?? 0);
    };
    const options = { sparsities: [0.5], loss, include: ['b'], threads: 1 };
    const report = await measureSensitivity(graph, samples, options);
    const mean = (content: Graph) =>
      inputs.reduce((sum, x, i) => sum + i + Math.abs(network(content, x)[0] as number), 0) / 3;
    expect(report.measure).toBe('loss');
    expect(report.dense).toBeCloseTo(mean(graph), 5);
    expect(report.layers[0]?.points[0]?.error).toBeCloseTo(mean(prunedAlone('b', 0.5)) - mean(graph), 5);
  });

  test.each<[object, string]>([
    [{ measure: 'loss' }, 'Expected measureSensitivity options.loss for measure loss and for no other'],
    [{ pattern: '2:4' }, 'options.pattern to leave the sparsity open, got 2:4'],
    [{ sparsities: [1] }, 'a number in (0, 1), got 1'],
    [{ sparsity: 0.5 }, 'Unknown key "sparsity" in measureSensitivity options; did you mean "sparsities"?'],
  ])('refuses %j', async (options, message) => {
    await expect(measureSensitivity(graph, samples, options)).rejects.toThrow(message);
  });

  test('refuses no samples, and losses that are none', async () => {
    await expect(measureSensitivity(graph, [])).rejects.toThrow('Expected samples to measure on, got none');
    const loss = () => Number.NaN;
    await expect(measureSensitivity(graph, samples, { loss, threads: 1 })).rejects.toThrow(
      /Expected finite losses with layer "a" at 0.2, got NaN/,
    );
  });
});

const points = (...errors: number[]) => errors.map((error, i) => ({ sparsity: 0.25 * (i + 1), error }));
const report: SensitivityReport = {
  measure: 'network',
  method: 'magnitude',
  samples: 1,
  dense: 0,
  layers: [
    { name: 'a', op: 'MatMul', pattern: 'unstructured', units: 80, points: points(0.1, 0.2, 0.6) },
    { name: 'b', op: 'MatMul', pattern: 'unstructured', units: 20, points: points(0.01, 0.02, 0.03) },
  ],
};

describe('allocation by sensitivity', () => {
  const layers = [
    { name: 'a', units: 80, dims: [8, 10] },
    { name: 'b', units: 20, dims: [3, 8] },
  ];

  test('the next unit costs as much error everywhere, and the total is exact', () => {
    // Errors for a unit: a 0.005, then 0.02; b 0.002 throughout. So b first, up to its bound, then a.
    const found = allocateBySensitivity(report, layers, { sparsity: 0.5, maxSparsity: 0.75 });
    expect(Object.fromEntries(found)).toEqual({ a: 35 / 80, b: 15 / 20 });
    const bounded = allocateBySensitivity(report, layers, {
      sparsity: 0.5,
      minSparsity: 0.45,
      maxSparsity: 0.6,
    });
    expect(Object.fromEntries(bounded)).toEqual({ a: 38 / 80, b: 12 / 20 });
    expect(() => allocateBySensitivity(report, layers, { sparsity: 0.9, maxSparsity: 0.8 })).toThrow(
      'Expected a sparsity between minSparsity 0 and maxSparsity 0.8, got 0.9',
    );
    const [only] = report.layers;
    expect(() =>
      allocateBySensitivity({ ...report, layers: only ? [only] : [] }, layers, { sparsity: 0.5 }),
    ).toThrow('Expected a sensitivity of layer "b"');
  });

  test('pruneCalibrated takes it, and loses less than by uniform sparsities', async () => {
    const sensitivity = await measureSensitivity(graph, samples, { threads: 1 });
    const options = { sparsity: 0.5, method: 'magnitude', refit: false, threads: 1 } as const;
    const by = async (more: object) =>
      relative(network, (await pruneCalibrated(graph, samples, { ...options, ...more })).graph);
    expect(await by({ allocation: 'sensitivity', sensitivity })).toBeLessThan(await by({}));
    const { plan } = await pruneCalibrated(graph, samples, {
      ...options,
      allocation: 'sensitivity',
      sensitivity,
    });
    expect(plan.layers.reduce((sum, { removed }) => sum + removed, 0)).toBe(52);
    await expect(pruneCalibrated(graph, samples, { ...options, allocation: 'sensitivity' })).rejects.toThrow(
      'Expected pruneCalibrated options.sensitivity with the allocation sensitivity',
    );
  });
});

describe('a report in a file', () => {
  test('comes back as it was', () => {
    expect(parseSensitivity(JSON.stringify(report), 's.json')).toEqual(report);
  });

  test.each<[string, string]>([
    ['{', 'Expected s.json to be JSON'],
    ['[]', 'Expected s.json to be an object, got a list or null'],
    [
      JSON.stringify({ ...report, layers: [{ ...report.layers[0], points: [] }] }),
      'a list of one point at least',
    ],
    [
      JSON.stringify({ ...report, layers: [{ ...report.layers[0], points: points(1, 2).reverse() }] }),
      'points of rising sparsity',
    ],
    [
      JSON.stringify({
        ...report,
        layers: [{ ...report.layers[0], points: [{ sparsity: 0.5, error: null }] }],
      }),
      'error',
    ],
  ])('%s is refused', (text, message) => {
    expect(() => parseSensitivity(text, 's.json')).toThrow(message);
  });
});

describe('the picture', () => {
  test('has a curve for each layer, worst first, and is XML whatever the names', () => {
    const hostile = {
      ...report,
      layers: report.layers.map((l) => ({ ...l, name: `<${l.name}> & "q"\u0000` })),
    };
    const svg = sensitivityPicture(hostile);
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg.match(/<circle/g)).toHaveLength(6);
    expect(svg.indexOf('&lt;a&gt; &amp; &quot;q&quot;?')).toBeLessThan(svg.indexOf('&lt;b&gt;'));
    expect(svg).not.toMatch(/<[ab]>|\p{Cc}(?<!\n)/u);
    expect(svg).not.toMatch(/NaN|Infinity/);
    const opened = [...svg.matchAll(/<(svg|style|g|text|title)\b/g)].map(([, tag]) => tag).sort();
    const closed = [...svg.matchAll(/<\/(svg|style|g|text|title)>/g)].map(([, tag]) => tag).sort();
    expect(closed).toEqual(opened);
  });

  test('draws errors upwards, on a logarithm, and losses below zero', () => {
    const heights = (svg: string) =>
      [...svg.matchAll(/<circle[^>]* cy="([-\d.]+)"/g)].map(([, y]) => Number(y));
    const drawn = heights(sensitivityPicture(report)).slice(0, 3);
    expect(drawn).toEqual([...drawn].sort((a, b) => b - a));
    const losses = {
      ...report,
      measure: 'loss' as const,
      layers: [{ ...(report.layers[0] as never as object), points: points(-1, 0, 1) }],
    };
    const [low = 0, zero = 0, high = 0] = heights(sensitivityPicture(losses as never));
    expect(low - zero).toBeCloseTo(zero - high, 2);
    expect(sensitivityPicture({ ...report, layers: [] })).not.toMatch(/NaN|Infinity/);
  });
});
