// A small trained network: no package brings one trained on MNIST, but Debian's dataset-fashion-mnist brings the data.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const pixels = 28 * 28;

/**
 * @typedef {{ images: Uint8Array, labels: Uint8Array, count: number }} Examples images [count, 784]
 * @typedef {{ weights: Float32Array[], biases: Float32Array[], widths: readonly number[] }} Perceptron weights
 *   [inputs, outputs] of each layer
 */

/**
 * H. Xiao et al., "Fashion-MNIST", 2017, in the format of MNIST.
 * @param {string} folder where the package keeps its files: /usr/share/datasets/fashion-mnist
 * @param {'train' | 't10k'} part
 * @returns {Promise<Examples>}
 */
export async function readExamples(folder, part) {
  const read = async (/** @type {string} */ name) =>
    gunzipSync(await readFile(join(folder, `${part}-${name}.gz`)));
  const images = (await read('images-idx3-ubyte')).subarray(16);
  const labels = (await read('labels-idx1-ubyte')).subarray(8);
  return { images, labels, count: labels.length };
}

/** @param {Examples} examples @param {number} index the pixels of one image in [0, 1] */
export function imageOf({ images }, index) {
  return Float32Array.from(images.subarray(index * pixels, (index + 1) * pixels), (value) => value / 255);
}

/**
 * Trains by stochastic gradient descent with momentum, ReLU and cross entropy; the same bits every time.
 * @param {Examples} examples
 * @param {{ widths: readonly number[], examplesEach: number, epochs: number, batch?: number, rate?: number }} options
 * @returns {Perceptron}
 */
export function trainPerceptron(examples, { widths, examplesEach, epochs, batch = 32, rate = 0.05 }) {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const sizes = widths.slice(1).map((outputs, l) => ({ inputs: widths[l] ?? 0, outputs }));
  const weights = sizes.map(({ inputs, outputs }) =>
    Float32Array.from({ length: inputs * outputs }, () => (random() * 2 - 1) * Math.sqrt(3 / inputs)),
  );
  const biases = sizes.map(({ outputs }) => new Float32Array(outputs));
  const speeds = weights.map(({ length }) => new Float32Array(length));
  const network = { weights, biases, widths };
  const steps = Math.floor(examplesEach / batch) * epochs;
  for (let step = 0; step < steps; step++) {
    const slopes = weights.map(({ length }) => new Float32Array(length));
    const shifts = biases.map(({ length }) => new Float32Array(length));
    for (let i = 0; i < batch; i++) {
      const index = (step * batch + i) % examplesEach;
      addGradient(network, imageOf(examples, index), examples.labels[index] ?? 0, slopes, shifts);
    }
    const length = (rate * (1 - step / steps)) / batch;
    for (const [l, own] of weights.entries()) {
      const [speed, slope] = [
        /** @type {Float32Array} */ (speeds[l]),
        /** @type {Float32Array} */ (slopes[l]),
      ];
      for (let k = 0; k < own.length; k++) {
        speed[k] = 0.9 * (speed[k] ?? 0) + (slope[k] ?? 0) + batch * 1e-4 * (own[k] ?? 0);
        own[k] = (own[k] ?? 0) - length * (speed[k] ?? 0);
      }
      biases[l]?.forEach((bias, j, all) => {
        all[j] = bias - length * (shifts[l]?.[j] ?? 0);
      });
    }
  }
  return network;
}

/**
 * @param {Perceptron} network
 * @param {Float32Array} image
 * @param {number} label
 * @param {Float32Array[]} slopes of the weights, added to
 * @param {Float32Array[]} shifts of the biases, added to
 */
function addGradient({ weights, biases }, image, label, slopes, shifts) {
  const values = [image];
  for (const [l, own] of weights.entries()) {
    const y = Float32Array.from(/** @type {Float32Array} */ (biases[l]));
    /** @type {Float32Array} */ (values[l]).forEach((x, k) => {
      if (x !== 0)
        for (let j = 0, at = k * y.length; j < y.length; j++, at++) y[j] = (y[j] ?? 0) + x * (own[at] ?? 0);
    });
    values.push(l < weights.length - 1 ? y.map((value) => Math.max(0, value)) : y);
  }
  const scores = /** @type {Float32Array} */ (values.at(-1));
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  let slope = powers.map((power, j) => power / sum - (j === label ? 1 : 0));
  for (let l = weights.length - 1; l >= 0; l--) {
    const [x, own, into] = /** @type {[Float32Array, Float32Array, Float32Array]} */ ([
      values[l],
      weights[l],
      slopes[l],
    ]);
    const back = new Float32Array(x.length);
    for (let k = 0; k < x.length; k++) {
      const value = x[k] ?? 0;
      if (value === 0) continue; // a ReLU that gave nothing takes nothing back
      for (let j = 0, at = k * slope.length; j < slope.length; j++, at++) {
        into[at] = (into[at] ?? 0) + value * (slope[j] ?? 0);
        back[k] = (back[k] ?? 0) + (own[at] ?? 0) * (slope[j] ?? 0);
      }
    }
    slope.forEach((own, j) => {
      const shift = /** @type {Float32Array} */ (shifts[l]);
      shift[j] = (shift[j] ?? 0) + own;
    });
    slope = back;
  }
}
