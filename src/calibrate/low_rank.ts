import type { NativeLinalg } from '../native/linalg.js';
import type { Shape } from './normal_equations.js';

/** A product of low rank beside a layer: y += (x down) up. */
export interface LowRank {
  readonly rank: number;
  /** [inputs, rank] */
  readonly down: Float32Array;
  /** [rank, outputs] */
  readonly up: Float32Array;
}

/** Multiplications by the matrix whose largest eigenvectors are looked for; each sharpens them. */
const iterations = 8;

/**
 * The product of low rank that best makes up for what a pruned layer leaves: with H = x^T x + ridge and C the residual
 * (target - weights H) of every output, [rows, cols], it minimises over all A, B of that rank the error of y + (x B) A.
 * By Eckart and Young in the metric of H, A holds the largest eigenvectors of C H^-1 C^T, and B = H^-1 C^T A^T: GLUESTICK
 * (arXiv 2510.08464), whose singular vectors weigh all inputs alike, weighted by what inputs do. Eigenvectors come from
 * subspace iteration (N. Halko et al., "Finding structure with randomness", 2011), from the same start each time.
 * @returns B^T [rank, cols] and A^T [rows, rank]
 */
export async function lowRankOf(
  {
    gram,
    ridge,
    residual,
    rank,
  }: { gram: Float64Array; ridge: number; residual: Float64Array; rank: number },
  { rows, cols, isa, threads }: Shape,
  linalg: NativeLinalg,
): Promise<{ readonly down: Float64Array; readonly up: Float64Array }> {
  const full = new Float64Array(rows * cols); // C H^-1
  const kept = new Uint8Array(rows * cols).fill(1);
  await linalg.refitWeights({ gram, ridge, target: residual, kept, weights: full, rows, cols, isa, threads });
  const fullTransposed = transposed(full, rows, cols);
  /** a [rank, depth] b [depth, width] */
  const multiply = async (a: Float64Array, b: Float64Array) => {
    const depth = a.length / rank;
    const product = new Float64Array((rank * b.length) / depth);
    await linalg.addProduct({ a, b, product, rows: rank, depth, cols: b.length / depth, isa, threads });
    return product;
  };
  let across = orthonormalRows(pseudoRandom(rank * rows), rank); // A
  for (let i = 0; i < iterations; i++)
    across = orthonormalRows(await multiply(await multiply(across, residual), fullTransposed), rank);
  return { down: await multiply(across, full), up: transposed(across, rank, rows) };
}

/** Gram and Schmidt, twice for what rounding leaves; rows that depend on others become zero. */
function orthonormalRows(matrix: Float64Array, rank: number): Float64Array {
  const size = matrix.length / rank;
  const row = (i: number) => matrix.subarray(i * size, (i + 1) * size);
  for (let i = 0; i < rank; i++) {
    const own = row(i);
    const before = Math.sqrt(dot(own, own));
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = row(j);
        const factor = dot(own, other);
        for (let k = 0; k < size; k++) own[k] = (own[k] as number) - factor * (other[k] as number);
      }
    }
    const norm = Math.sqrt(dot(own, own));
    const scale = norm > 1e-12 * before ? 1 / norm : 0;
    for (let k = 0; k < size; k++) own[k] = (own[k] as number) * scale;
  }
  return matrix;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** [rows, cols] -> [cols, rows] */
export function transposed(matrix: Float64Array, rows: number, cols: number): Float64Array {
  const result = new Float64Array(matrix.length);
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++) result[col * rows + row] = matrix[row * cols + col] as number;
  return result;
}

/** Numbers in [-1, 1), the same each time. */
function pseudoRandom(length: number): Float64Array {
  let state = 1;
  return Float64Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
