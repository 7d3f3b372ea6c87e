import { binaries } from './binary.js';
import { convolutions } from './convolution.js';
import type { OperatorDefinition } from './definition.js';
import { indexings } from './indexed.js';
import { movements } from './movement.js';
import { normalizations } from './normalization.js';
import { orders } from './order.js';
import { poolings } from './pooling.js';
import { products } from './products.js';
import { quantizations } from './quantize.js';
import { recurrences } from './recurrent.js';
import { reductions } from './reduce.js';
import { reshapes } from './reshape.js';
import { resizes } from './resize.js';
import { samplings } from './sampling.js';
import { selections } from './select.js';
import { shapeOperators } from './shapes.js';
import { unaries } from './unary.js';

/** Every operator of the default domain that espalier knows, in canonical form. */
export const operators: ReadonlyMap<string, OperatorDefinition> = new Map(
  [
    convolutions,
    poolings,
    products,
    normalizations,
    unaries,
    binaries,
    selections,
    reshapes,
    movements,
    shapeOperators,
    reductions,
    recurrences,
    resizes,
    indexings,
    orders,
    quantizations,
    samplings,
  ].flatMap((family) => Object.entries(family)),
);
