import type { NativeLinalg } from '../native/linalg.js';
import type { Moments } from './moments.js';

/** A layer, and how native code runs. */
export interface Shape {
  readonly rows: number;
  readonly cols: number;
  readonly isa: string;
  readonly threads: number;
}

/**
 * The right side of the normal equations of every output, [rows, cols]: X^T Y + ridge w0, where X^T Y = W (y^T x), since
 * Y = y W^T, and what the outputs are to make up for. Without a refit Y is what the dense weights make of x.
 * @param corrections where those of the layer begin among those of the moments; undefined: it has none
 */
export async function targetOf(
  dense: Float64Array,
  moments: Moments,
  { refit, ridge, corrections }: { refit: boolean; ridge: number; corrections: number | undefined },
  { rows, cols, isa, threads }: Shape,
  linalg: NativeLinalg,
): Promise<Float64Array> {
  const product = dense.map((weight) => weight * ridge);
  const b = refit ? moments.cross : symmetric(moments.gram, cols, 0);
  await linalg.addProduct({ a: dense, b, product, rows, depth: cols, cols, isa, threads });
  if (corrections === undefined) return product;
  const own = moments.corrections.subarray(corrections * cols, (corrections + rows) * cols);
  for (const [i, value] of own.entries()) product[i] = (product[i] as number) + value;
  return product;
}

/** target - weights (gram + ridge): [rows, cols], what weights leave of the right side. */
export async function residualOf(
  target: Float64Array,
  weights: Float64Array,
  { gram }: Moments,
  ridge: number,
  { rows, cols, isa, threads }: Shape,
  linalg: NativeLinalg,
): Promise<Float64Array> {
  const product = target.slice();
  const a = weights.map((value) => -value);
  const b = symmetric(gram, cols, ridge);
  await linalg.addProduct({ a, b, product, rows, depth: cols, cols, isa, threads });
  return product;
}

/** The mean of a matrix's diagonal, 1 for a matrix of zeros. */
export function meanDiagonal(matrix: Float64Array, cols: number): number {
  let trace = 0;
  for (let i = 0; i < matrix.length; i += cols + 1) trace += matrix[i] as number;
  return trace > 0 ? trace / cols : 1;
}

/** Both triangles of a matrix that is given by its lower one, and a number added to its diagonal. */
function symmetric(lower: Float64Array, cols: number, added: number): Float64Array {
  const whole = lower.slice();
  for (let i = 0; i < cols; i++) {
    whole[i * cols + i] = (whole[i * cols + i] as number) + added;
    for (let j = 0; j < i; j++) whole[j * cols + i] = lower[i * cols + j] as number;
  }
  return whole;
}

/** Sets the weights of inputs that are always zero to zero: they go first. */
export function clearDead(weights: Float64Array, gram: Float64Array, cols: number): void {
  for (let col = 0; col < cols; col++) {
    if ((gram[col * cols + col] as number) > 0) continue;
    for (let at = col; at < weights.length; at += cols) weights[at] = 0;
  }
}
