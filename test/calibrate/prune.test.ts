import { describe, expect, test } from 'vitest';
import { type CalibratedOptions, pruneCalibrated, type Samples } from '../../src/calibrate/index.js';
import { GraphBuilder } from '../../src/graph/builder.js';
import type { Graph } from '../../src/graph/graph.js';
import { Tensor } from '../../src/index.js';
import type { PlannedLayer } from '../../src/prune/index.js';
import { chain, randomConstant, seeded, values } from '../prune/graphs.js';
import {
  admmMask,
  type Choose,
  hessian,
  keepHighest,
  lowestShare,
  type Matrix,
  solve,
  sparseGpt,
} from './reference.js';
import { correlated, outputsOf, relativeError } from './support.js';

const [inputs, outputs] = [300, 48];
const x = correlated(700, inputs, 1);
/** Two samples of different lengths. */
const samples: Samples = [
  [0, 300],
  [300, 700],
].map(([from = 0, to = 0]) => ({
  x: new Tensor('float32', x.slice(from * inputs, to * inputs), [to - from, inputs]),
}));

/** y = x W^T with W [outputs, inputs]. */
const graph = chain([{ name: 'a', op: 'Gemm', weight: 'w', attributes: { transB: 1 } }], {
  w: randomConstant([outputs, inputs], seeded(2)),
});
const dense = outputsOf(graph, samples);

async function errorOf(options: CalibratedOptions): Promise<number> {
  const pruned = await pruneCalibrated(graph, samples, { threads: 2, rows: 100000, ...options });
  return relativeError(outputsOf(pruned.graph, samples), dense);
}

function matrixOf(pruned: Graph): Matrix {
  const flat = values(pruned, 'w');
  return Array.from({ length: outputs }, (_, row) =>
    Array.from(flat.slice(row * inputs, (row + 1) * inputs)),
  );
}

const w = matrixOf(graph);
const h = hessian(x, inputs);

/** |x (a - w)^T|^2 / |x w^T|^2 in float64. */
function layerError(a: Matrix): number {
  const through = (m: Matrix) =>
    m.reduce((sum, row) => {
      return (
        sum +
        row.reduce((all, p, i) => all + p * row.reduce((s, q, j) => s + q * (h[i]?.[j] as number), 0), 0)
      );
    }, 0);
  const difference = a.map((row, r) => row.map((value, c) => value - (w[r]?.[c] as number)));
  return through(difference) / through(w);
}

describe('SparseGPT', () => {
  test.each([
    ['unstructured', 0.5, 128, lowestShare(0.5)],
    ['unstructured', 0.7, 128, lowestShare(0.7)],
    ['unstructured', 0.8, 128, lowestShare(0.8)],
    ['4x1', 0.7, 128, lowestShare(0.7, 4)],
    ['16x1', 0.5, 128, lowestShare(0.5, 16)],
    ['2:4', 0.5, 4, keepHighest(2)],
  ] as const)(
    '%s at %d: the error of the reference, within 1 percent, and below others',
    async (pattern, sparsity, width, choose) => {
      const options = { pattern, ...(pattern === '2:4' ? {} : { sparsity }), refit: false };
      const pruned = await pruneCalibrated(graph, samples, { ...options, method: 'sparsegpt', rows: 100000 });
      const ours = layerError(matrixOf(pruned.graph));
      const [layer] = pruned.plan.layers as [PlannedLayer];
      expect(layer.removedUnits).toBe(Math.round(sparsity * layer.units));
      expect(values(pruned.graph, 'w').filter((value) => value === 0).length).toBe(layer.removed);
      expect(ours).toBeLessThanOrEqual(1.01 * layerError(sparseGpt(w, h, width, choose)));
      expect(ours).toBeLessThan(await errorOf({ ...options, method: 'wanda' }));
      expect(ours).toBeLessThan(await errorOf({ ...options, method: 'magnitude' }));
    },
  );

  test('threads change nothing, nor does a second time', async () => {
    const run = async (threads: number) =>
      values((await pruneCalibrated(graph, samples, { sparsity: 0.6, threads })).graph, 'w');
    const first = await run(1);
    expect(await run(3)).toEqual(first);
    expect(await run(1)).toEqual(first);
  });
});

describe('ADMM', () => {
  const damping = (0.01 * h.reduce((sum, row, i) => sum + (row[i] as number), 0)) / inputs;
  const damped = h.map((row, i) => row.map((value, j) => value + (i === j ? damping : 0)));

  test.each([
    ['unstructured', 0.7, (share: number) => lowestShare(share)],
    ['4x1', 0.6, (share: number) => lowestShare(share, 4)],
    ['2:4', 0.5, () => pairs],
  ] as const)(
    '%s at %d: the mask of the reference, and below SparseGPT',
    async (pattern, sparsity, choose) => {
      const options = { pattern, ...(pattern === '2:4' ? {} : { sparsity }), refit: false, rows: 100000 };
      const pruned = await pruneCalibrated(graph, samples, { ...options, method: 'admm' });
      const expected = admmMask(w, damped, choose, sparsity);
      const got = matrixOf(pruned.graph);
      const other = got.flat().filter((value, i) => {
        return (value === 0) !== expected[Math.floor(i / inputs)]?.[i % inputs];
      });
      expect(other.length).toBeLessThanOrEqual(2); // two scores may be equal up to rounding
      expect(layerError(got)).toBeLessThan(await errorOf({ ...options, method: 'sparsegpt' }));
    },
  );
});

/** The two lowest of every four go. */
const pairs: Choose = (saliencies) =>
  saliencies.map((row) => {
    const groups = Array.from({ length: row.length / 4 }, (_, i) => [row.slice(4 * i, 4 * i + 4)]);
    return groups.flatMap((group) => keepHighest(2)(group)[0] as boolean[]);
  });

describe('refit', () => {
  test('each row is the ridge solution over its kept inputs, with a free bias', async () => {
    const ridge = 0.02;
    const pruned = await pruneCalibrated(graph, samples, {
      sparsity: 0.5,
      method: 'wanda',
      ridge,
      rows: 100000,
    });
    const mean = Array.from({ length: inputs }, (_, j) => {
      let sum = 0;
      for (let row = 0; row < 700; row++) sum += x[row * inputs + j] as number;
      return sum / 700;
    });
    const centred = h.map((row, i) =>
      row.map((value, j) => value - (mean[i] as number) * (mean[j] as number)),
    );
    const added = (ridge * centred.reduce((sum, row, i) => sum + (row[i] as number), 0)) / inputs;
    const result = matrixOf(pruned.graph);
    const bias = values(pruned.graph, 'w_bias');
    for (const row of [0, 7, 47]) {
      const kept = Array.from({ length: inputs }, (_, j) => j).filter((j) => result[row]?.[j] !== 0);
      expect(kept.length).toBe(150);
      const before = w[row] as number[];
      const target = kept.map((i) => {
        return before.reduce(
          (sum, value, j) => sum + value * (centred[i]?.[j] as number),
          added * (before[i] as number),
        );
      });
      const expected = solve(
        kept.map((i) => kept.map((j) => (centred[i]?.[j] as number) + (i === j ? added : 0))),
        target,
      );
      kept.forEach((j, k) => {
        expect(result[row]?.[j]).toBeCloseTo(expected[k] as number, 5);
      });
      const shift = before.reduce(
        (sum, value, j) => sum + (value - (result[row]?.[j] as number)) * (mean[j] as number),
        0,
      );
      expect(bias[row]).toBeCloseTo(shift, 5);
    }
  });

  test('lowers the error of every method and pattern', async () => {
    for (const pattern of ['unstructured', '4x1', '3x5'] as const) {
      for (const method of ['magnitude', 'wanda', 'ria', 'sparsegpt'] as const) {
        const options = { sparsity: 0.6, pattern, method };
        expect(await errorOf(options)).toBeLessThan(await errorOf({ ...options, refit: false }));
      }
    }
  });
});

describe('a network of several layers', () => {
  const random = seeded(5);
  const outlying = randomConstant([64, 64], random);
  const first = new Float32Array(outlying.bytes.buffer);
  for (let i = 0; i < first.length; i += 50) first[i] = 20; // what OWL looks for
  const deep = chain(
    [
      { name: 'one', op: 'MatMul', weight: 'w1' },
      { name: 'relu', op: 'Relu', weight: '' },
      { name: 'two', op: 'MatMul', weight: 'w2' },
      { name: 'tanh', op: 'Tanh', weight: '' },
      { name: 'three', op: 'Gemm', weight: 'w3' },
    ],
    {
      w1: randomConstant([inputs, 64], random),
      w2: outlying,
      w3: randomConstant([64, 8], random),
    },
  );
  const unary = {
    ...deep,
    nodes: deep.nodes.map((node) => ({ ...node, inputs: node.inputs.filter((name) => name !== '') })),
  };
  const scaled = samples.map(({ x: sample }) => {
    const { data, dims } = sample as Tensor<'float32'>;
    return {
      x: new Tensor(
        'float32',
        data.map((value) => value * 0.05),
        dims,
      ),
    };
  });
  const expected = outputsOf(unary, scaled);

  test('fitting towards the dense network undoes what earlier layers lost', async () => {
    const errors = [];
    for (const options of [
      { method: 'magnitude', refit: false },
      { method: 'sparsegpt', refit: false },
      { method: 'sparsegpt' },
    ] as const) {
      const pruned = await pruneCalibrated(unary, scaled, { sparsity: 0.7, ...options });
      errors.push(relativeError(outputsOf(pruned.graph, scaled), expected));
    }
    const [magnitude = 0, sparsegpt = 0, refit = 0] = errors;
    expect(sparsegpt).toBeLessThan(magnitude);
    expect(refit).toBeLessThan(0.8 * sparsegpt);
  });

  test.each(['global', 'er', 'erk', 'lamp', 'owl'] as const)(
    'allocation %s removes the share of all units',
    async (allocation) => {
      const { plan } = await pruneCalibrated(unary, scaled, {
        sparsity: 0.6,
        method: 'magnitude',
        allocation,
        refit: false,
      });
      const units = plan.layers.reduce((sum, layer) => sum + layer.units, 0);
      expect(plan.layers.reduce((sum, layer) => sum + layer.removedUnits, 0)).toBe(Math.round(0.6 * units));
      expect(new Set(plan.layers.map(({ sparsity }) => sparsity.toFixed(3))).size).toBeGreaterThan(1);
    },
  );

  test('an allocation keeps every layer within its bounds', async () => {
    const { plan } = await pruneCalibrated(unary, scaled, {
      sparsity: 0.6,
      method: 'magnitude',
      allocation: 'global',
      minSparsity: 0.55,
      maxSparsity: 0.63,
      refit: false,
    });
    for (const { removedUnits, units } of plan.layers) {
      expect(removedUnits).toBeGreaterThanOrEqual(Math.floor(0.55 * units));
      expect(removedUnits).toBeLessThanOrEqual(Math.ceil(0.63 * units));
    }
  });
});

describe('convolutions', () => {
  const random = seeded(8);
  const image: Samples = [1, 2, 3].map((seed) => ({
    x: new Tensor('float32', correlated(6 * 9, 12, seed), [1, 12, 6, 9]),
  }));
  const convolution = (attributes: Record<string, number>, dims: readonly number[]) =>
    chain([{ name: 'c', op: 'Conv', weight: 'w', attributes }], { w: randomConstant(dims, random) });

  test.each([
    ['plain', convolution({}, [10, 12, 3, 3])],
    ['grouped', convolution({ group: 3 }, [9, 4, 3, 2])],
  ] as const)(
    '%s: rows are the unfolded windows, so a layer pruned by nothing changes nothing',
    async (_name, net) => {
      const before = outputsOf(net, image);
      const options = { method: 'sparsegpt', ridge: 1e-9, rows: 100000 } as const;
      const none = await pruneCalibrated(net, image, { ...options, sparsity: 0 });
      expect(relativeError(outputsOf(none.graph, image), before)).toBeLessThan(1e-10);
      const half = await pruneCalibrated(net, image, { ...options, sparsity: 0.5 });
      const plain = await pruneCalibrated(net, image, {
        ...options,
        sparsity: 0.5,
        method: 'magnitude',
        refit: false,
      });
      const error = relativeError(outputsOf(half.graph, image), before);
      expect(error).toBeLessThan(relativeError(outputsOf(plain.graph, image), before));
    },
  );
});

describe('errors', () => {
  test.each([
    [
      { sparsity: 0.5, methd: 'wanda' },
      /Unknown key "methd" in pruneCalibrated options; did you mean "method"/,
    ],
    [{ sparsity: 0.5, scope: 'global' }, /scope to be layer for admm/],
    [{ sparsity: 0.5, method: 'taylor' }, /Expected gradients by weight name for method taylor, got none/],
    [{ sparsity: 0.5, ridge: 0 }, /ridge to be a number above 0, got 0/],
    [{ sparsity: 0.5, compensate: 'low-rank:0' }, /compensate to be bias or low-rank:R with a rank R, got/],
    [
      { sparsity: 0.5, compensate: 'bias', refit: true },
      /either .*refit, which fits biases too, or compensate bias/,
    ],
    [{ pattern: '2:4', allocation: 'erk' }, /uniform allocation for layer "a", whose pattern 2:4/],
  ] as const)('%o', async (options, message) => {
    await expect(pruneCalibrated(graph, samples, options as unknown as CalibratedOptions)).rejects.toThrow(
      message,
    );
  });

  test('activations that are not finite are named', async () => {
    const broken = [{ x: new Tensor('float32', new Float32Array(inputs).fill(Number.NaN), [1, inputs]) }];
    await expect(pruneCalibrated(graph, broken, { sparsity: 0.5 })).rejects.toThrow(
      /finite inputs of layer "a" on the calibration data/,
    );
  });

  test('recurrent layers are refused', async () => {
    const g = new GraphBuilder('recurrent');
    const weight = (dims: readonly number[]) =>
      g.constant(dims, new Float32Array(dims.reduce((a, b) => a * b)).fill(0.1));
    const state = g.nodes('LSTM', [g.input('x', [4, 1, 3]), weight([1, 8, 3]), weight([1, 8, 2])], 1, {
      hidden_size: 2,
    });
    const recurrent = g.output('y', state[0] ?? '').build();
    const feeds = [{ x: new Tensor('float32', new Float32Array(12), [4, 1, 3]) }];
    await expect(pruneCalibrated(recurrent, feeds, { sparsity: 0.5 })).rejects.toThrow(
      /Expected layer ".*\.W" to be a Conv, Gemm or MatMul, got LSTM; exclude it from calibration/,
    );
  });

  test('inputs that are always zero lose their weights first', async () => {
    const dead = samples.map(({ x: sample }) => {
      const { data, dims } = sample as Tensor<'float32'>;
      return {
        x: new Tensor(
          'float32',
          data.map((value, i) => (i % inputs < 60 ? 0 : value)),
          dims,
        ),
      };
    });
    const pruned = await pruneCalibrated(graph, dead, { sparsity: 0.2, refit: false });
    expect(relativeError(outputsOf(pruned.graph, dead), outputsOf(graph, dead))).toBeLessThan(0.02);
  });
});
