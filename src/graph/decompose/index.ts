import type { Node } from '../graph.js';
import { activations } from './activations.js';
import { attentions } from './attention.js';
import { contrib } from './contrib/index.js';
import { convolutions } from './convolutions.js';
import { counted } from './counted.js';
import type { Decomposition } from './definition.js';
import { determinants } from './determinant.js';
import { einsums } from './einsum.js';
import { masks } from './masks.js';
import { norms } from './norms.js';
import { pads } from './pads.js';
import { poolings } from './poolings.js';
import { positions } from './positions.js';
import { quantized } from './quantized.js';
import { recurrent } from './recurrent.js';
import { reductions } from './reductions.js';
import { resizes } from './resize.js';
import { signals } from './signals.js';

export type { Decomposer } from './definition.js';

/** Operators that are, always or in some forms, made of others; specialize.ts replaces them. By domain and name. */
export const decompositions: ReadonlyMap<string, Decomposition> = new Map([
  ...[
    activations,
    attentions,
    convolutions,
    counted,
    determinants,
    einsums,
    masks,
    norms,
    pads,
    poolings,
    positions,
    quantized,
    recurrent,
    reductions,
    resizes,
    signals,
  ].flatMap((family) => Object.entries(family)),
  ...contrib,
]);

/** The decomposition of a node's operator. */
export const decompositionOf = ({ op, domain }: Node): Decomposition | undefined =>
  decompositions.get(domain === '' ? op : `${domain}.${op}`);
