import { expect, test } from 'vitest';
import { Moments } from '../../src/calibrate/moments.js';
import { loadAddon } from '../../src/native/addon.js';
import { correlated } from './support.js';

const [inputs, outputs, rows] = [20, 7, 600]; // rows: more than a batch
const x = correlated(rows, inputs, 1);
const y = correlated(rows, inputs, 2);
const weights = correlated(outputs, inputs, 3);
const resources = { linalg: loadAddon(), isa: 'auto', threads: 2 };
const chosen = Uint32Array.from({ length: rows }, (_, i) => i);

const reader = (from: Float32Array) => (which: Uint32Array, out: Float32Array) => {
  for (const [i, row] of which.entries())
    out.set(from.subarray(row * inputs, (row + 1) * inputs), i * inputs);
};

async function momentsOf(projection: Float32Array | undefined): Promise<Moments> {
  const moments = new Moments(resources, { inputs, paired: true, projection, corrections: 0 });
  await moments.add(chosen, { x: reader(x), y: reader(y) });
  await moments.finish('layer', true);
  return moments;
}

test('projected moments are those of the outputs: the weights times those of the inputs', async () => {
  const [plain, projected] = [await momentsOf(undefined), await momentsOf(weights)];
  expect([plain.projected, projected.projected]).toEqual([false, true]);
  expect(projected.cross.length).toBe(outputs * inputs);
  const times = (matrix: Float64Array, cols: number) =>
    Float64Array.from({ length: outputs * cols }, (_, at) => {
      const [row, col] = [Math.floor(at / cols), at % cols];
      let sum = 0;
      for (let k = 0; k < inputs; k++)
        sum += (weights[row * inputs + k] as number) * (matrix[k * cols + col] as number);
      return sum;
    });
  const largest = Math.max(...projected.cross.map(Math.abs));
  for (const [at, value] of times(plain.cross, inputs).entries())
    expect(Math.abs((projected.cross[at] as number) - value)).toBeLessThan(1e-6 * largest); // outputs are float32
  for (const [at, value] of times(plain.meanY, 1).entries())
    expect(projected.meanY[at]).toBeCloseTo(value, 4);
});

test('the products of x with itself are symmetric, both triangles', async () => {
  const { gram, meanX } = await momentsOf(undefined);
  for (const [i, j] of [
    [0, 0],
    [3, 12],
    [19, 1],
  ] as const) {
    let sum = 0;
    for (let row = 0; row < rows; row++)
      sum += (x[row * inputs + i] as number) * (x[row * inputs + j] as number);
    const expected = sum / rows - (meanX[i] as number) * (meanX[j] as number);
    expect(gram[i * inputs + j]).toBeCloseTo(expected, 10);
    expect(gram[j * inputs + i]).toBe(gram[i * inputs + j]);
  }
});
