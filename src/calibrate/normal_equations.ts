import type { NativeLinalg } from '../native/linalg.js';
import type { Moments } from './moments.js';

/** A layer, and how native code runs. */
export interface Shape {
  readonly rows: number;
  readonly cols: number;
  readonly isa: string;
  readonly threads: number;
}

/** What of the moments of several layers that see the same rows belongs to one of them. */
export interface Place {
  /** Where its outputs begin among all. */
  readonly outputs: number;
  /** Where its corrections begin; undefined: it has none. */
  readonly corrections: number | undefined;
}

/**
 * The right side of the normal equations of every output, [rows, cols]: X^T Y + ridge w0, where X^T Y = W (y^T x), since
 * Y = y W^T, and what the outputs are to make up for. Without a refit Y is what the dense weights make of x.
 */
export async function targetOf(
  dense: Float64Array,
  { gram, cross, projected, corrections }: Moments,
  { refit, ridge, place }: { refit: boolean; ridge: number; place: Place },
  { rows, cols, isa, threads }: Shape,
  linalg: NativeLinalg,
): Promise<Float64Array> {
  const target = dense.map((weight) => weight * ridge);
  const add = (values: Float64Array, firstRow: number) => {
    for (let i = 0, at = firstRow * cols; i < target.length; i++, at++)
      target[i] = (target[i] as number) + (values[at] as number);
  };
  if (refit && projected) add(cross, place.outputs);
  else {
    const b = refit ? cross : gram;
    await linalg.addProduct({ a: dense, b, product: target, rows, depth: cols, cols, isa, threads });
  }
  if (place.corrections !== undefined) add(corrections, place.corrections);
  return target;
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
  const product = target.map((value, i) => value - ridge * (weights[i] as number));
  const a = weights.map((value) => -value);
  await linalg.addProduct({ a, b: gram, product, rows, depth: cols, cols, isa, threads });
  return product;
}

/** The mean of a matrix's diagonal, 1 for a matrix of zeros. */
export function meanDiagonal(matrix: Float64Array, cols: number): number {
  let trace = 0;
  for (let i = 0; i < matrix.length; i += cols + 1) trace += matrix[i] as number;
  return trace > 0 ? trace / cols : 1;
}

/** Sets the weights of inputs that are always zero to zero: they go first. */
export function clearDead(weights: Float64Array, gram: Float64Array, cols: number): void {
  for (let col = 0; col < cols; col++) {
    if ((gram[col * cols + col] as number) > 0) continue;
    for (let at = col; at < weights.length; at += cols) weights[at] = 0;
  }
}
