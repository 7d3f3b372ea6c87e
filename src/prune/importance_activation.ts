import { EspalierError } from '../errors.js';
import type { Layer } from '../graph/layers.js';
import { type Importance, named } from './importance.js';

/** What a layer's inputs were on calibration data; convolutions see their inputs unfolded, one per channel and tap. */
export interface InputStatistics {
  /** Rows (tokens, pixels) that were counted. */
  readonly rows: number;
  /** [groups * inputs]: sum of squares. */
  readonly squares: Float64Array;
  /** [groups * inputs]: sum. */
  readonly sums: Float64Array;
}

/** By the name of the weight, since nodes that share one share its inputs too. */
export type ActivationStatistics = ReadonlyMap<string, InputStatistics>;

/**
 * |w_ij| ||X_j||_2, compared within each output (`scope: 'row'`): M. Sun et al., "A Simple and Effective Pruning
 * Approach for Large Language Models", 2023 (arXiv 2306.11695).
 */
export function wanda(statistics: ActivationStatistics): Importance {
  return named('wanda', (layer, weights) => {
    const norms = inputNorms(statistics, layer);
    return forEachWeight(
      layer,
      weights,
      (weight, _row, column) => Math.abs(weight) * (norms[column] as number),
    );
  });
}

/**
 * (|w_ij| / sum_i |w_ij| + |w_ij| / sum_j |w_ij|) ||X_j||_2^power: Y. Zhang et al., "Plug-and-Play: An Efficient
 * Post-training Pruning Method for Large Language Models", 2024. No output nor input loses all its weights early.
 */
export function ria(statistics: ActivationStatistics, power = 0.5): Importance {
  return named('ria', (layer, weights) => {
    const norms = inputNorms(statistics, layer).map((norm) => norm ** power);
    const rowSums = new Float64Array(layer.groups * layer.outputs);
    const columnSums = new Float64Array(layer.groups * layer.inputs);
    forEachWeight(layer, weights, (weight, row, column) => {
      rowSums[row] = (rowSums[row] as number) + Math.abs(weight);
      columnSums[column] = (columnSums[column] as number) + Math.abs(weight);
      return 0;
    });
    return forEachWeight(layer, weights, (weight, row, column) => {
      if (weight === 0) return 0; // 0 / 0 in a row or column of zeros
      const relative = 1 / (columnSums[column] as number) + 1 / (rowSums[row] as number);
      return Math.abs(weight) * relative * (norms[column] as number);
    });
  });
}

/** ||X_j||_2, whatever the weights are: inputs that carry little go first. */
export function activationNorm(statistics: ActivationStatistics): Importance {
  return named('activation', (layer, weights) => {
    const norms = inputNorms(statistics, layer);
    return forEachWeight(layer, weights, (_weight, _row, column) => norms[column] as number);
  });
}

/**
 * w_ij^2 Var(X_j): what an output varies by with an input, so what a bias cannot make up for when it goes. Summed over
 * all that takes a channel it is the score of Y. An et al., "Fluctuation-based Adaptive Structured Pruning for Large
 * Language Models", 2024 (arXiv 2312.11983); `pushConstants` adds the biases.
 */
export function fluctuation(statistics: ActivationStatistics): Importance {
  return named('fluctuation', (layer, weights) => {
    const norms = inputNorms(statistics, layer); // they are there, and fit
    const { rows, sums } = statistics.get(layer.weight) as InputStatistics;
    const variances = norms.map((norm, j) =>
      Math.max(0, norm ** 2 / rows - ((sums[j] as number) / rows) ** 2),
    );
    return forEachWeight(
      layer,
      weights,
      (weight, _row, column) => weight ** 2 * (variances[column] as number),
    );
  });
}

/** The 2-norm of every input, [groups * inputs]. */
function inputNorms(statistics: ActivationStatistics, layer: Layer): Float64Array {
  const found = statistics.get(layer.weight);
  const expected = layer.groups * layer.inputs;
  if (found?.squares.length === expected) return found.squares.map(Math.sqrt);
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    `Expected activation statistics of the ${expected} inputs of layer "${layer.name}" under "${layer.weight}", got ` +
      `${found === undefined ? 'none' : `${found.squares.length}`}`,
  );
}

/** Scores by `score(weight, row, column)`, where rows and columns are counted over all groups. */
export function forEachWeight(
  { groups, outputs, inputs }: Layer,
  weights: Float32Array,
  score: (weight: number, row: number, column: number) => number,
): Float64Array {
  const scores = new Float64Array(weights.length);
  for (let row = 0, at = 0; row < groups * outputs; row++) {
    const firstColumn = Math.floor(row / outputs) * inputs;
    for (let input = 0; input < inputs; input++, at++)
      scores[at] = score(weights[at] as number, row, firstColumn + input);
  }
  return scores;
}
