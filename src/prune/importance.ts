import { EspalierError } from '../errors.js';
import type { Layer } from '../graph/layers.js';

/**
 * Scores every weight of a layer; the lowest scores are removed first.
 * `weights` is [groups * outputs * inputs] in (group, output, input) order, and so is the result. Pure: the same
 * weights give the same scores. Scores are compared within a layer, and across layers in global scope.
 */
export type Importance = (layer: Layer, weights: Float32Array) => Float32Array | Float64Array;

/** An importance whose plan says where it comes from: functions are known by their name. */
export function named(name: string, importance: Importance): Importance {
  return Object.defineProperty(importance, 'name', { value: name });
}

/** |w|: S. Han et al., "Learning both weights and connections for efficient neural networks", 2015. */
export const magnitude: Importance = function magnitude(_layer, weights) {
  return weights.map(Math.abs);
};

/**
 * |w|^p, which ranks units by the p-norm of their weights, as H. Li et al., "Pruning filters for efficient ConvNets",
 * 2017, do with p = 1.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT unless p > 0
 */
export function magnitudeLp(p: number): Importance {
  if (!(p > 0 && p < Number.POSITIVE_INFINITY)) {
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected magnitudeLp of a p above 0, got ${p}`);
  }
  return named(`magnitudeL${p}`, (_layer, weights) =>
    Float64Array.from(weights, (weight) => Math.abs(weight) ** p),
  );
}

/** Scores in [0, 1) that depend on the seed, the layer's name and the place alone: what any method has to beat. */
export function random(seed: number): Importance {
  return named(`random(${seed})`, ({ name }, weights) => {
    let state = seed >>> 0;
    for (const character of name) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01000193);
    return Float64Array.from(weights, () => {
      state = (state + 0x9e3779b9) >>> 0; // splitmix32
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
    });
  });
}
