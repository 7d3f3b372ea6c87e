import { describe, expect, test } from 'vitest';
import { pruneCalibrated, recalibrateBatchNorm, type Samples } from '../../src/calibrate/index.js';
import { fuse } from '../../src/compile/fuse.js';
import { lowRankProduct } from '../../src/compile/low_rank.js';
import { GraphBuilder } from '../../src/graph/builder.js';
import type { Graph } from '../../src/graph/graph.js';
import { specialize } from '../../src/graph/index.js';
import { InferenceSession, Tensor } from '../../src/index.js';
import { chain, randomConstant, seeded, values } from '../prune/graphs.js';
import { hessian, type Matrix } from './reference.js';
import { correlated, outputsOf, relativeError } from './support.js';

const [inputs, outputs] = [40, 24];
const x = correlated(200, inputs, 1);
const samples: Samples = [{ x: new Tensor('float32', x, [200, inputs]) }];
const graph = chain([{ name: 'a', op: 'Gemm', weight: 'w', attributes: { transB: 1 } }], {
  w: randomConstant([outputs, inputs], seeded(2)),
});
const dense = outputsOf(graph, samples);

function matrixOf(network: Graph, name: string, columns: number): Matrix {
  const flat = values(network, name);
  return Array.from({ length: flat.length / columns }, (_, row) =>
    Array.from(flat.slice(row * columns, (row + 1) * columns)),
  );
}

test('compensate bias adds what removed weights gave on average', async () => {
  const options = { sparsity: 0.5, method: 'wanda', compensate: 'bias' } as const;
  const pruned = await pruneCalibrated(graph, samples, options);
  const plain = await pruneCalibrated(graph, samples, { ...options, compensate: undefined, refit: false });
  expect(values(pruned.graph, 'w')).toEqual(values(plain.graph, 'w'));
  const [before, after] = [matrixOf(graph, 'w', inputs), matrixOf(pruned.graph, 'w', inputs)];
  const mean = Array.from({ length: inputs }, (_, j) => {
    let sum = 0;
    for (let row = 0; row < 200; row++) sum += x[row * inputs + j] as number;
    return sum / 200;
  });
  const bias = values(pruned.graph, 'w_bias');
  for (const [row, weights] of before.entries()) {
    const lost = weights.reduce(
      (sum, weight, j) => sum + (weight - (after[row]?.[j] as number)) * (mean[j] as number),
      0,
    );
    expect(bias[row]).toBeCloseTo(lost, 5);
  }
  const error = (network: Graph) => relativeError(outputsOf(network, samples), dense);
  expect(error(pruned.graph)).toBeLessThan(error(plain.graph));
});

describe('compensate low-rank', () => {
  const at = (rank: number, refit: boolean) =>
    pruneCalibrated(graph, samples, {
      sparsity: 0.7,
      method: 'wanda',
      compensate: `low-rank:${rank}`,
      refit,
      ridge: 1e-9,
    });

  test('leaves what the best product of that rank leaves', async () => {
    const pruned = await at(4, false);
    const lost = matrixOf(graph, 'w', inputs).map((row, i) => {
      const kept = matrixOf(pruned.graph, 'w', inputs)[i] as number[];
      return row.map((value, j) => value - (kept[j] as number));
    });
    // |X lost^T|^2 less its four largest squared singular values, by power iteration and deflation in float64.
    const h = hessian(x, inputs);
    const covariance = lost.map((a) =>
      lost.map((b) =>
        a.reduce((s, p, i) => s + p * b.reduce((t, q, j) => t + q * (h[i]?.[j] as number), 0), 0),
      ),
    );
    let left = covariance.reduce((sum, row, i) => sum + (row[i] as number), 0);
    for (let k = 0; k < 4; k++) left -= deflate(covariance);
    const got = outputsOf(pruned.graph, samples);
    const error = got.reduce((sum, value, i) => sum + (value - (dense[i] as number)) ** 2, 0) / 200;
    expect(error).toBeGreaterThan(0.999 * left);
    expect(error).toBeLessThan(1.01 * left);
  });

  test('helps more the higher the rank, beside a refit too', async () => {
    const errors = [];
    for (const rank of [1, 3, 6])
      errors.push(relativeError(outputsOf((await at(rank, true)).graph, samples), dense));
    const [one = 0, three = 0, six = 0] = errors;
    expect(three).toBeLessThan(one);
    expect(six).toBeLessThan(three);
  });

  test('a rank of more than a quarter of a side is cut, and the result runs as one step', async () => {
    const pruned = await at(500, true);
    expect(pruned.graph.constants.get('w_down')?.dims).toEqual([inputs, 6]);
    const fused = fuse(specialize(pruned.graph, new Map([['x', [200, inputs]]])));
    expect(fused.nodes.map(({ node }) => node.op)).toEqual([lowRankProduct]);
  });
});

/** Removes the largest eigenvalue of a symmetric matrix and returns it. */
function deflate(matrix: Matrix): number {
  let vector = matrix.map((_, i) => 1 + i / 10);
  let value = 0;
  for (let i = 0; i < 2000; i++) {
    const next = matrix.map((row) => row.reduce((sum, a, j) => sum + a * (vector[j] as number), 0));
    value = Math.hypot(...next);
    vector = next.map((one) => one / value);
  }
  for (const [i, row] of matrix.entries())
    for (let j = 0; j < row.length; j++)
      row[j] = (row[j] as number) - value * (vector[i] as number) * (vector[j] as number);
  return value;
}

describe('recalibrateBatchNorm', () => {
  const random = seeded(6);
  const numbers = (length: number) => Float32Array.from({ length }, () => random() * 2 - 1);
  const g = new GraphBuilder('bn');
  const names: string[] = [];
  let value = g.input('x', [2, 3, 4, 5]);
  for (const k of [0, 1]) {
    value = g.node('Conv', [value, g.constant([3, 3, 1, 1], numbers(9), `w${k}`)]);
    names.push(value);
    const parts = ['scale', 'shift', 'mean', 'variance'].map((name, i) =>
      g.constant(
        [3],
        numbers(3).map((one) => (i === 3 ? 1 + one / 2 : one)),
        `${name}${k}`,
      ),
    );
    value = g.node('Relu', [g.node('BatchNormalization', [value, ...parts])]);
  }
  const network = g.output('y', value).build();
  const images: Samples = [1, 2].map(() => ({ x: new Tensor('float32', numbers(120), [2, 3, 4, 5]) }));

  test('each has the mean and variance of what it sees behind those before it', async () => {
    const result = await recalibrateBatchNorm(network, images, { threads: 1 });
    const outputs = names.map((name) => ({ name, type: 'float32' as const, dims: undefined }));
    using session = InferenceSession.fromGraph({ ...result, outputs }, { threads: 1 });
    const seen = images.map((sample) => session.runSync(sample));
    for (const [k, name] of names.entries()) {
      for (let channel = 0; channel < 3; channel++) {
        const all = seen.flatMap((one) =>
          Array.from(one[name]?.data as Float32Array).filter((_, i) => Math.floor(i / 20) % 3 === channel),
        );
        const mean = all.reduce((sum, one) => sum + one, 0) / all.length;
        const variance = all.reduce((sum, one) => sum + (one - mean) ** 2, 0) / all.length;
        expect(values(result, `mean${k}`)[channel]).toBeCloseTo(mean, 5);
        expect(values(result, `variance${k}`)[channel]).toBeCloseTo(variance, 5);
      }
    }
  });

  test('with a reference, a batch normalisation gives what it gave there', async () => {
    const pruned = await pruneCalibrated(network, images, {
      sparsity: 0.2,
      method: 'magnitude',
      refit: false,
    });
    const same = await recalibrateBatchNorm(network, images, { threads: 1, reference: network });
    for (const name of ['mean0', 'variance1']) {
      const before = values(network, name);
      for (const [i, value] of values(same, name).entries())
        expect(value).toBeCloseTo(before[i] as number, 5);
    }
    const result = await recalibrateBatchNorm(pruned.graph, images, { threads: 1, reference: network });
    const normal = network.nodes.find(({ op }) => op === 'BatchNormalization')?.outputs[0] ?? '';
    const [dense, now] = [network, result].map((graph) => {
      const outputs = [{ name: normal, type: 'float32' as const, dims: undefined }];
      return outputsOf({ ...graph, outputs }, images);
    }) as [Float64Array, Float64Array];
    const momentsOf = (data: Float64Array, channel: number) => {
      const own = data.filter((_, i) => Math.floor(i / 20) % 3 === channel);
      const mean = own.reduce((sum, one) => sum + one, 0) / own.length;
      return [mean, own.reduce((sum, one) => sum + (one - mean) ** 2, 0) / own.length] as const;
    };
    for (let channel = 0; channel < 3; channel++) {
      const [mean, variance] = momentsOf(dense, channel);
      expect(momentsOf(now, channel)[0]).toBeCloseTo(mean, 4);
      expect(momentsOf(now, channel)[1]).toBeCloseTo(variance, 4);
    }
  });

  test('comes after pruning with the option, and needs batch normalisations', async () => {
    const options = { sparsity: 0.5, method: 'magnitude', refit: false } as const;
    const plain = await pruneCalibrated(network, images, options);
    const both = await pruneCalibrated(network, images, { ...options, recalibrateBatchNorm: true });
    const expected = await recalibrateBatchNorm(plain.graph, images, { threads: 1, reference: network });
    expect(values(both.graph, 'mean1')).toEqual(values(expected, 'mean1'));
    await expect(pruneCalibrated(graph, samples, { ...options, recalibrateBatchNorm: true })).rejects.toThrow(
      /Expected a graph with BatchNormalization nodes/,
    );
  });
});
