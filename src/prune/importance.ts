import type { Layer } from '../graph/layers.js';

/**
 * Scores every weight of a layer; the lowest scores are removed first.
 * `weights` is [groups * outputs * inputs] in (group, output, input) order, and so is the result. Pure: the same
 * weights give the same scores. Scores are compared within a layer, and across layers in global scope.
 */
export type Importance = (layer: Layer, weights: Float32Array) => Float32Array | Float64Array;

/** |w|: S. Han et al., "Learning both weights and connections for efficient neural networks", 2015. */
export const magnitude: Importance = function magnitude(_layer, weights) {
  return weights.map(Math.abs);
};
