import { activations } from './activations.js';
import { convolutions } from './convolutions.js';
import { counted } from './counted.js';
import type { Decomposition } from './definition.js';
import { einsums } from './einsum.js';
import { masks } from './masks.js';
import { norms } from './norms.js';
import { poolings } from './poolings.js';
import { quantized } from './quantized.js';
import { reductions } from './reductions.js';
import { resizes } from './resize.js';
import { signals } from './signals.js';

export type { Decomposer } from './definition.js';

/** Operators that are, always or in some forms, made of others; specialize.ts replaces them. */
export const decompositions: ReadonlyMap<string, Decomposition> = new Map(
  [
    activations,
    convolutions,
    counted,
    einsums,
    masks,
    norms,
    poolings,
    quantized,
    reductions,
    resizes,
    signals,
  ].flatMap((family) => Object.entries(family)),
);
