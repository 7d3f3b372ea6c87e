import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportOnnx } from '../../../dist/formats/onnx/index.js';
import { printZeros } from './cases.mjs';
import { makeModel, makeWeights } from './weights.mjs';

/** @import { Shape, Zeros } from './cases.mjs' */

/**
 * W on disk.
 * @typedef {{ model: string, weights: string, nonZeros: number }} WeightFiles paths of the ONNX model and, when native
 *   engines are to read them, of the raw float32 weights
 */

/**
 * The files of one shape, each written when it is first asked for: weights of 4096 x 4096 take 64 MB.
 * @param {Shape} shape
 * @param {{ directory: string, raw: boolean }} options
 */
export function makeFiles(shape, { directory, raw }) {
  /** @type {Map<string, WeightFiles>} */
  const written = new Map();
  return {
    /** @param {Zeros} zeros @returns {Promise<WeightFiles>} */
    async of(zeros) {
      const name = printZeros(zeros).replaceAll(/[^a-z0-9]+/g, '-');
      const known = written.get(name);
      if (known !== undefined) return known;
      const { weights, nonZeros } = makeWeights(shape, zeros);
      const prefix = join(directory, `${shape.inputs}-${shape.outputs}-${name}`);
      const files = { model: `${prefix}.onnx`, weights: `${prefix}.bin`, nonZeros };
      await writeFile(files.model, exportOnnx(makeModel(shape, weights)));
      if (raw) await writeFile(files.weights, weights);
      written.set(name, files);
      return files;
    },
    async remove() {
      for (const { model, weights } of written.values()) {
        for (const path of [model, weights]) await rm(path, { force: true });
      }
    },
  };
}

/** @typedef {ReturnType<typeof makeFiles>} ShapeFiles */
