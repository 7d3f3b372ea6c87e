import type { Layer } from '../graph/layers.js';
import { forEachUnit, unitCount } from '../prune/mask.js';
import { blockOf, keptOfEvery, type Pattern } from '../sparse/patterns.js';
import type { LayerValues } from './layer_weights.js';
import type { Moments, Resources } from './moments.js';

export interface SolveOptions {
  readonly pattern: Pattern;
  /** Units that the plan removes, one byte each; undefined: SparseGPT chooses `removals` of them. */
  readonly removed: Uint8Array | undefined;
  readonly removals: number;
  /** Whether kept weights are fitted to the dense network's outputs, and whether a bias may take part. */
  readonly refit: boolean;
  readonly bias: boolean;
  /** Of the mean of the diagonal, added to it: SparseGPT's, and that of the fit. */
  readonly damping: number;
  readonly ridge: number;
}

/** New values of a pruned layer, and what was removed. */
export interface SolvedLayer extends LayerValues {
  readonly removed: Uint8Array;
}

/**
 * Prunes one layer by the moments of its inputs, one for each group.
 *
 * SparseGPT (see native/linalg/sparse_gpt.h) chooses the mask by x^T x. The dense-target refit then solves, for the kept
 * inputs S of each output, min over w of |X_S w - Y|^2 + ridge |w - w0_S|^2, with X what the layer sees in the network
 * pruned so far, Y what the layer computes in the dense one, and w0 the dense weights, to which it falls back where the
 * data say nothing; the bias is free. SparseGPT starts from the same fit over all inputs, so that it chooses among
 * weights which make up for the layers before already. H = x^T x is centred when the bias is free.
 * @param dense the layer's weights in (group, output, input) order
 */
export async function solveLayer(
  layer: Layer,
  dense: Float32Array,
  moments: readonly Moments[],
  options: SolveOptions,
  resources: Resources,
): Promise<SolvedLayer> {
  const unitsOfGroup = unitCount({ ...layer, groups: 1 }, options.pattern);
  const size = layer.outputs * layer.inputs;
  const result = {
    weights: new Float32Array(dense.length),
    bias: options.refit && options.bias ? new Float32Array(layer.groups * layer.outputs) : undefined,
    removed: new Uint8Array(layer.groups * unitsOfGroup),
  };
  for (const [group, found] of moments.entries()) {
    const upTo = (count: number) => Math.round((options.removals * count) / layer.groups);
    const solved = await solveGroup(
      layer,
      Float64Array.from(dense.subarray(group * size, (group + 1) * size)),
      found,
      {
        ...options,
        removed: options.removed?.subarray(group * unitsOfGroup, (group + 1) * unitsOfGroup),
        removals: upTo(group + 1) - upTo(group),
      },
      resources,
    );
    result.weights.set(solved.weights, group * size);
    result.bias?.set(solved.bias, group * layer.outputs);
    result.removed.set(solved.removed, group * unitsOfGroup);
  }
  return result;
}

async function solveGroup(
  layer: Layer,
  dense: Float64Array,
  moments: Moments,
  options: SolveOptions,
  { linalg, isa, threads }: Resources,
) {
  const { outputs: rows, inputs: cols } = layer;
  const shape = { rows, cols, isa, threads };
  const { gram, mean } = normalised(moments.gram, moments, moments.sumX, options.refit && options.bias);
  const fit = options.refit ? await fitOf(dense, moments, options, mean, shape, linalg) : undefined;
  const ridged = fit === undefined ? gram : withDiagonal(gram, cols, options.ridge * mean);

  let weights: Float64Array = dense.slice();
  if (fit !== undefined && options.removed === undefined) {
    const kept = new Uint8Array(rows * cols).fill(1);
    await linalg.refitWeights({ gram: ridged, target: fit, kept, weights, ...shape });
  }
  const removed = options.removed ?? new Uint8Array(unitCount({ ...layer, groups: 1 }, options.pattern));
  if (options.removed === undefined) {
    const damped = withDiagonal(gram, cols, options.damping * mean);
    clearDead(weights, gram, damped, cols);
    const { rows: unitRows, columns: unitCols } = blockOf(options.pattern);
    const { kept = 0, of = 0 } = keptOfEvery(options.pattern) ?? {};
    const { removals } = options;
    await linalg.pruneSparseGpt({
      weights,
      gram: damped,
      unitRows,
      unitCols,
      kept,
      of,
      removals,
      removed,
      ...shape,
    });
  }
  if (fit !== undefined) {
    const kept = keptWeights(layer, options.pattern, removed);
    weights = new Float64Array(rows * cols);
    await linalg.refitWeights({ gram: ridged, target: fit, kept, weights, ...shape });
  }
  const bias = new Float64Array(rows);
  for (let row = 0; row < rows && fit !== undefined; row++) {
    for (let col = 0, at = row * cols; col < cols; col++, at++) {
      const before = (dense[at] as number) * (moments.sumY[col] as number);
      const after = (weights[at] as number) * (moments.sumX[col] as number);
      bias[row] = (bias[row] as number) + (before - after) / moments.rows;
    }
  }
  return { weights, bias, removed };
}

/** X^T Y + ridge w0 of every output, [rows, cols]: W (y^T x), since Y = y W^T. */
async function fitOf(
  dense: Float64Array,
  moments: Moments,
  options: SolveOptions,
  mean: number,
  { rows, cols, isa, threads }: { rows: number; cols: number; isa: string; threads: number },
  linalg: Resources['linalg'],
): Promise<Float64Array> {
  const { gram: cross } = normalised(moments.cross, moments, moments.sumY, options.bias);
  const product = dense.map((weight) => weight * options.ridge * mean);
  await linalg.addProduct({ a: dense, b: cross, product, rows, depth: cols, cols, isa, threads });
  return product;
}

/** The mean of a sum of products, less the product of the means when centred; and the mean of its diagonal. */
function normalised(products: Float64Array, { rows, sumX }: Moments, sums: Float64Array, centred: boolean) {
  const cols = sumX.length;
  const gram = new Float64Array(products.length);
  let trace = 0;
  for (let i = 0, at = 0; i < cols; i++) {
    const shift = centred ? (sums[i] as number) / rows : 0;
    for (let j = 0; j < cols; j++, at++)
      gram[at] = ((products[at] as number) - shift * (sumX[j] as number)) / rows;
    trace += gram[i * cols + i] as number;
  }
  return { gram, mean: trace > 0 ? trace / cols : 1 };
}

function withDiagonal(gram: Float64Array, cols: number, added: number): Float64Array {
  const sum = gram.slice();
  for (let i = 0; i < sum.length; i += cols + 1) sum[i] = (sum[i] as number) + added;
  return sum;
}

/** Inputs that are always zero: SparseGPT removes their weights first. */
function clearDead(weights: Float64Array, gram: Float64Array, damped: Float64Array, cols: number): void {
  for (let col = 0; col < cols; col++) {
    if ((gram[col * cols + col] as number) > 0) continue;
    damped[col * cols + col] = 1;
    for (let at = col; at < weights.length; at += cols) weights[at] = 0;
  }
}

/** One byte per weight of a group, 0 where its unit is removed. */
function keptWeights(layer: Layer, pattern: Pattern, removed: Uint8Array): Uint8Array {
  const kept = new Uint8Array(layer.outputs * layer.inputs).fill(1);
  forEachUnit({ ...layer, groups: 1 }, pattern, (unit, firstRow, rows, firstInput, inputs) => {
    if (removed[unit] === 0) return;
    for (let row = firstRow; row < firstRow + rows; row++) {
      const start = row * layer.inputs + firstInput;
      kept.fill(0, start, start + inputs);
    }
  });
  return kept;
}
