/** @import { CalibratedOptions } from '../../../dist/calibrate/index.js' */

/**
 * A row of the table: how the network is pruned. `options` is undefined for the dense one, and `data` says whether
 * calibration data are used.
 * @typedef {{ id: string, method: string, pattern: string, sparsity: number, options: CalibratedOptions | undefined }} QualityRow
 */

const single = 'unstructured';

/** @param {string} method @param {string} pattern @param {number} sparsity @param {Partial<CalibratedOptions>} options @returns {QualityRow} */
function row(method, pattern, sparsity, options) {
  const id = `${method.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase()}-${pattern}-${sparsity * 100}`;
  const bounds = /** @type {CalibratedOptions} */ ({ pattern, sparsity, ...options });
  return { id, method, pattern, sparsity, options: bounds };
}

/** @type {readonly QualityRow[]} */
export const qualityRows = [
  { id: 'dense', method: 'dense', pattern: single, sparsity: 0, options: undefined },
  row('magnitude', single, 0.5, { method: 'magnitude', refit: false }),
  row('magnitude, BN recalibrated', single, 0.5, {
    method: 'magnitude',
    refit: false,
    recalibrateBatchNorm: true,
  }),
  ...[0.5, 0.6, 0.7, 0.8].flatMap((sparsity) => [
    row('Wanda', single, sparsity, { method: 'wanda', refit: false }),
    row('Wanda + bias', single, sparsity, { method: 'wanda', compensate: 'bias' }),
    row('SparseGPT', single, sparsity, { method: 'sparsegpt', refit: false }),
    row('Wanda + refit', single, sparsity, { method: 'wanda' }),
    row('SparseGPT + refit', single, sparsity, { method: 'sparsegpt' }),
    row('ADMM + refit', single, sparsity, { method: 'admm' }),
  ]),
  row('ADMM + refit', single, 0.9, { method: 'admm' }),
  row('ADMM + refit + low rank 8', single, 0.8, { method: 'admm', compensate: 'low-rank:8' }),
  row('ADMM + refit + low rank 8', single, 0.9, { method: 'admm', compensate: 'low-rank:8' }),
  ...['4x1', '16x1'].flatMap((pattern) =>
    [0.5, 0.7].flatMap((sparsity) => [
      row('SparseGPT + refit', pattern, sparsity, { method: 'sparsegpt' }),
      row('ADMM + refit', pattern, sparsity, { method: 'admm' }),
    ]),
  ),
];
