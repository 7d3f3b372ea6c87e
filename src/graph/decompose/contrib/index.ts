import type { Decomposition } from '../definition.js';
import { contribAttention } from './attention.js';
import { fused } from './fused.js';
import { contribNorms } from './norms.js';
import { contribQuantized } from './quantized.js';

/** The domain of onnxruntime's own operators. */
const domain = 'com.microsoft';

const { SimplifiedLayerNormalization, ...norms } = contribNorms;

/**
 * Operators that onnxruntime adds to those of ONNX (its docs/ContribOperators.md), which its optimisers and exporters
 * write into models: by domain and name. One of them is written without a domain.
 */
export const contrib: readonly (readonly [string, Decomposition])[] = [
  ...Object.entries({ ...fused, ...norms, ...contribQuantized, ...contribAttention }).map(
    ([op, decomposition]) => [`${domain}.${op}`, decomposition] as const,
  ),
  ...Object.entries({ SimplifiedLayerNormalization }).flatMap(([op, decomposition]) =>
    decomposition === undefined ? [] : [[op, decomposition] as const],
  ),
];
