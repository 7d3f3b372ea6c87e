import type { LayerPlan } from './compile/builder.js';
import { changesAt, type FormatChange } from './sparse/crossover.js';
import type { ChoiceContext, FormatCandidate } from './sparse/format.js';
import type { Pattern } from './sparse/patterns.js';
import type { WeightFormat, WeightStorage } from './sparse/weight_formats.js';

/** How a layer with weights runs, and why. Plain data. */
export interface LayerExplanation {
  /** The model's node. */
  readonly name: string;
  readonly op: string;
  readonly groups: number;
  /** Outputs and inputs of one group. */
  readonly outputs: number;
  readonly inputs: number;
  /** Tokens that share a pass over the weights: rows of a product's input, output pixels of a convolution. */
  readonly n: number;
  /** Where the zeros lie, and how many there are. */
  readonly pattern: Pattern | 'dense';
  readonly sparsity: number;
  /** How the weights are stored, and the bytes that takes. */
  readonly format: WeightFormat;
  readonly storage: WeightStorage;
  /** Whether a dense convolution runs by Winograd's algorithm. */
  readonly winograd: boolean;
  readonly bytes: number;
  /** What decided. */
  readonly reason: string;
  /** Every format that could hold the layer, the one predicted cheapest first. */
  readonly candidates: readonly FormatCandidate[];
  /** Sparsities at which the cost model would choose otherwise. */
  readonly changesAt: readonly FormatChange[];
}

/** @param bytes of the packed weights */
export function explainLayer(
  { name, op, analysis, n, choice }: LayerPlan,
  context: ChoiceContext,
  bytes: number,
): LayerExplanation {
  const { groups, outputs, inputs, pattern, sparsity } = analysis;
  const { format, storage, reason, candidates } = choice;
  const layer = { name, op, groups, outputs, inputs, n, pattern, sparsity };
  const winograd = format === 'dense' && choice.winograd;
  return {
    ...layer,
    format,
    storage,
    winograd,
    bytes,
    reason,
    candidates,
    changesAt: changesAt(analysis, context),
  };
}
