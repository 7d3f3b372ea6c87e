import type { Layer } from '../graph/layers.js';
import { freeArrays } from '../native/addon.js';
import { forEachUnit, unitCount } from '../prune/mask.js';
import { blockOf, keptOfEvery, type Pattern } from '../sparse/patterns.js';
import type { LayerValues } from './layer_weights.js';
import { type LowRank, lowRankOf, transposed } from './low_rank.js';
import type { Moments, Resources } from './moments.js';
import { clearDead, meanDiagonal, type Place, residualOf, targetOf } from './normal_equations.js';

export interface SolveOptions {
  readonly pattern: Pattern;
  /** Who chooses what to remove: `removals` units; undefined: the plan did. */
  readonly chooser: 'sparsegpt' | 'admm' | undefined;
  /** Units that the plan removes, one byte each. */
  readonly removed: Uint8Array | undefined;
  readonly removals: number;
  /** Whether kept weights are fitted to the dense network's outputs. */
  readonly refit: boolean;
  /** Whether a bias makes up for the mean of what is lost. */
  readonly bias: boolean;
  /** Rank of the product that is put beside the layer; 0: none. */
  readonly rank: number;
  /** Of the mean of the diagonal, added to it: that of choosing, and that of the fit. */
  readonly damping: number;
  readonly ridge: number;
  /** What of the moments is the layer's. */
  readonly place: Place;
}

/** New values of a pruned layer, and what was removed. */
export interface SolvedLayer extends LayerValues {
  readonly removed: Uint8Array;
}

/**
 * Prunes one layer by the moments of its inputs, one for each group.
 *
 * SparseGPT or ADMM (see native/linalg) choose the mask by x^T x. The dense-target refit then solves, for the kept
 * inputs S of each output, min over w of |X_S w - Y|^2 + ridge |w - w0_S|^2, with X what the layer sees in the network
 * pruned so far, Y what the layer computes in the dense one, and w0 the dense weights, to which it falls back where the
 * data say nothing; the bias is free. Where outputs are added to a stream, Y makes up for what the stream lost as well.
 * Masks are chosen for the same fit over all inputs, so among weights which make up for the layers before already.
 * H = x^T x is centred when the bias is free.
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
  const weights = new Float32Array(dense.length);
  const bias = options.bias ? new Float32Array(layer.groups * layer.outputs) : undefined;
  const removed = new Uint8Array(layer.groups * unitsOfGroup);
  let lowRank: LowRank | undefined;
  for (const [group, found] of moments.entries()) {
    const upTo = (count: number) => Math.round((options.removals * count) / layer.groups);
    const own = new Float64Array(dense.subarray(group * size, (group + 1) * size));
    const given = options.removed?.subarray(group * unitsOfGroup, (group + 1) * unitsOfGroup);
    const removals = upTo(group + 1) - upTo(group);
    const solved = await solveGroup(layer, own, found, { ...options, removed: given, removals }, resources);
    weights.set(solved.weights, group * size);
    freeArrays(own, solved.weights);
    bias?.set(solved.bias, group * layer.outputs);
    removed.set(solved.removed, group * unitsOfGroup);
    lowRank = solved.lowRank; // of the one group that a product has
  }
  return { weights, bias, removed, lowRank };
}

async function solveGroup(
  layer: Layer,
  dense: Float64Array,
  moments: Moments,
  options: SolveOptions,
  resources: Resources,
) {
  const { outputs: rows, inputs: cols } = layer;
  const { linalg, isa, threads } = resources;
  const shape = { rows, cols, isa, threads };
  const { refit, chooser, rank, place } = options;
  const { gram } = moments;
  const mean = meanDiagonal(gram, cols);
  const ridge = options.ridge * mean;
  const isFitted = refit || chooser === 'admm';
  const target =
    isFitted || rank > 0
      ? await targetOf(dense, moments, { refit, ridge, place }, shape, linalg)
      : new Float64Array(0);
  const fitted = async (kept: Uint8Array) => {
    const weights = new Float64Array(rows * cols);
    await linalg.refitWeights({ gram, ridge, target, kept, weights, ...shape });
    return weights;
  };

  const removed = options.removed ?? new Uint8Array(unitCount({ ...layer, groups: 1 }, options.pattern));
  let weights = dense;
  if (chooser !== undefined) {
    const all = new Uint8Array(rows * cols).fill(1);
    const guess = refit ? await fitted(all) : dense.slice();
    freeArrays(all);
    clearDead(guess, gram, cols);
    const { rows: unitRows, columns: unitCols } = blockOf(options.pattern);
    const { kept = 0, of = 0 } = keptOfEvery(options.pattern) ?? {};
    const unit = { unitRows, unitCols, kept, of, removals: options.removals };
    const choose = chooser === 'admm' ? linalg.chooseByAdmm : linalg.pruneSparseGpt;
    await choose({ weights: guess, gram, damping: options.damping * mean, removed, ...unit, ...shape });
    if (isFitted) freeArrays(guess);
    else weights = guess;
  }
  const kept = keptWeights(layer, options.pattern, removed);
  weights = isFitted ? await fitted(kept) : weights.map((weight, i) => (kept[i] === 0 ? 0 : weight));
  freeArrays(kept);
  if (rank === 0) {
    freeArrays(target);
    return { weights, bias: biasOf(dense, weights, moments, options), removed };
  }

  const residual = await residualOf(target, weights, moments, ridge, shape, linalg);
  const { down, up } = await lowRankOf({ gram, ridge, residual, rank }, shape, linalg);
  const product = weights.slice();
  await linalg.addProduct({ a: up, b: down, product, rows, depth: rank, cols, isa, threads });
  return {
    weights,
    bias: biasOf(dense, product, moments, options),
    removed,
    lowRank: {
      rank,
      down: Float32Array.from(transposed(down, rank, cols)),
      up: Float32Array.from(transposed(up, rows, rank)),
    },
  };
}

/** Mean of what the layer should give, less that of what it gives: [outputs]. */
function biasOf(
  dense: Float64Array,
  weights: Float64Array,
  { meanX, meanY, meanC, projected }: Moments,
  { place, refit }: SolveOptions,
): Float64Array {
  const cols = meanX.length;
  return Float64Array.from({ length: weights.length / cols }, (_, row) => {
    const through = (matrix: Float64Array, mean: Float64Array) => {
      let sum = 0;
      for (let col = 0, at = row * cols; col < cols; col++, at++)
        sum += (matrix[at] as number) * (mean[col] as number);
      return sum;
    };
    const correction = place.corrections === undefined ? 0 : (meanC[place.corrections + row] as number);
    const wanted =
      refit && projected ? (meanY[place.outputs + row] as number) : through(dense, refit ? meanY : meanX);
    return correction + wanted - through(weights, meanX);
  });
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
