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

/** |w g|: N. Lee et al., "SNIP: Single-shot network pruning based on connection sensitivity", 2019 (arXiv 1810.02340). */
export function snip(gradients: Gradients): Importance {
  return named(
    'snip',
    withGradients(gradients, (weight, gradient) => Math.abs(weight * gradient)),
  );
}

/** (w g)^2: P. Molchanov et al., "Importance Estimation for Neural Network Pruning", 2019 (arXiv 1906.10771). */
export function taylor(gradients: Gradients): Importance {
  return named(
    'taylor',
    withGradients(gradients, (weight, gradient) => (weight * gradient) ** 2),
  );
}

/**
 * w^2 F / 2 with the diagonal F = E[g^2] of the Fisher information: Y. LeCun et al., "Optimal Brain Damage", 1989.
 * @param squares the mean of g^2 over examples, not the square of a mean
 */
export function fisher(squares: Gradients): Importance {
  return named(
    'fisher',
    withGradients(squares, (weight, square) => (weight * weight * square) / 2),
  );
}

function withGradients(
  gradients: Gradients,
  score: (weight: number, gradient: number) => number,
): Importance {
  return (layer, weights) => {
    const gradient = gradientOf(gradients, layer, weights.length);
    const { groups, outputs, inputs, outputStride, inputStride } = layer;
    const scores = new Float64Array(weights.length);
    for (let row = 0, at = 0; row < groups * outputs; row++) {
      for (let input = 0; input < inputs; input++, at++) {
        const stored = row * outputStride + input * inputStride;
        scores[at] = score(weights[at] as number, Number(gradient[stored]));
      }
    }
    return scores;
  };
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
