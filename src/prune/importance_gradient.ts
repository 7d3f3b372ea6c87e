import { EspalierError } from '../errors.js';
import { readElements } from '../graph/data.js';
import type { TensorData } from '../graph/graph.js';
import type { Layer } from '../graph/layers.js';
import { type Importance, named } from './importance.js';

/**
 * Gradients of the loss, or squares of them, by the name of the weight and with its dims: from a trainer's file or
 * from anything that computes them.
 */
export type Gradients = ReadonlyMap<string, TensorData>;

/** Those of one batch, or of several, in the order in which they came. */
export type GradientBatches = Gradients | readonly Gradients[];

export function batchesOf(gradients: GradientBatches): readonly Gradients[] {
  return Array.isArray(gradients) ? (gradients as readonly Gradients[]) : [gradients as Gradients];
}

/**
 * |w g| with the mean g of all batches: N. Lee et al., "SNIP: Single-shot network pruning based on connection
 * sensitivity", 2019 (arXiv 1810.02340).
 */
export function snip(gradients: GradientBatches): Importance {
  return named(
    'snip',
    meanOver(
      gradients,
      (_weight, gradient) => gradient,
      (weight, mean) => Math.abs(weight * mean),
    ),
  );
}

/**
 * The sum over batches of rate |w g|, what came before counting decay times as much with each: the momentum form of
 * {@link snip} that Intel Neural Compressor uses, with its numbers.
 */
export function snipMomentum(gradients: GradientBatches, { decay = 1, rate = 0.9 } = {}): Importance {
  const batches = batchesOf(gradients);
  return named('snipMomentum', (layer, weights) => {
    const scores = new Float64Array(weights.length);
    for (const batch of batches)
      forEachGradient(batch, layer, weights, (at, weight, gradient) => {
        scores[at] = decay * (scores[at] as number) + rate * Math.abs(weight * gradient);
      });
    return scores;
  });
}

/**
 * The mean over batches of (w g)^2: P. Molchanov et al., "Importance Estimation for Neural Network Pruning", 2019
 * (arXiv 1906.10771). For whole structures see `groupTaylor`.
 */
export function taylor(gradients: GradientBatches): Importance {
  return named(
    'taylor',
    meanOver(
      gradients,
      (weight, gradient) => (weight * gradient) ** 2,
      (_weight, mean) => mean,
    ),
  );
}

/**
 * w^2 F / 2 with the diagonal F = E[g^2] of the Fisher information: Y. LeCun et al., "Optimal Brain Damage", 1989.
 * @param squares the mean of g^2 over examples, not the square of a mean; of several batches their mean
 */
export function fisher(squares: GradientBatches): Importance {
  return named(
    'fisher',
    meanOver(
      squares,
      (_weight, square) => square,
      (weight, mean) => (weight * weight * mean) / 2,
    ),
  );
}

/** Scores of the mean over batches of something of each weight and its gradient. */
function meanOver(
  gradients: GradientBatches,
  each: (weight: number, gradient: number) => number,
  score: (weight: number, mean: number) => number,
): Importance {
  const batches = batchesOf(gradients);
  return (layer, weights) => {
    const means = new Float64Array(weights.length);
    for (const batch of batches)
      forEachGradient(batch, layer, weights, (at, weight, gradient) => {
        means[at] = (means[at] as number) + each(weight, gradient) / batches.length;
      });
    return means.map((mean, at) => score(weights[at] as number, mean));
  };
}

/** Visits weights in (group, output, input) order, with their gradients, which lie as the constant's elements do. */
function forEachGradient(
  gradients: Gradients,
  layer: Layer,
  weights: Float32Array,
  visit: (at: number, weight: number, gradient: number) => void,
): void {
  const gradient = gradientOf(gradients, layer, weights.length);
  const { groups, outputs, inputs, outputStride, inputStride } = layer;
  for (let row = 0, at = 0; row < groups * outputs; row++)
    for (let input = 0; input < inputs; input++, at++)
      visit(at, weights[at] as number, Number(gradient[row * outputStride + input * inputStride]));
}

function gradientOf(gradients: Gradients, layer: Layer, length: number) {
  const data = gradients.get(layer.weight);
  if (data !== undefined) {
    const elements = readElements(data);
    if (elements.length === length) return elements;
  }
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    `Expected a gradient of ${length} values for weight "${layer.weight}" of layer "${layer.name}", got ` +
      `${data === undefined ? 'none' : `[${data.dims.join(', ')}]`}`,
  );
}
