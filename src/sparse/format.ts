import type { LayerAnalysis } from './analyze.js';
import { type CostContext, canHold, type Prediction, predictCost, winogradPays } from './cost.js';
import { printPattern } from './patterns.js';
import { sparseMargin } from './rates.js';
import {
  storageFor,
  storageIn,
  type WeightFormat,
  type WeightStorage,
  weightFormats,
} from './weight_formats.js';

/** A format that could hold a layer, and what it would cost. */
export interface FormatCandidate {
  readonly format: WeightFormat;
  /** By the cost model, on one thread. */
  readonly predictedMicroseconds: number;
  /** Measured on this machine, with the session's threads, when the session tunes. */
  readonly measuredMicroseconds?: number;
  /** Of the packed weights, by the cost model. */
  readonly bytes: number;
}

export interface FormatChoice {
  readonly format: WeightFormat;
  readonly storage: WeightStorage;
  /** One line for people: what decided. */
  readonly reason: string;
  /** Whether the layer, where it is dense, runs by Winograd's algorithm. */
  readonly winograd: boolean;
  /** Every format that can hold the layer, cheapest first; dense is always one. */
  readonly candidates: readonly FormatCandidate[];
}

export interface ChoiceContext extends CostContext {
  /** The formats to choose from; dense is always one. Default: all. */
  readonly formats?: readonly WeightFormat[] | undefined;
}

/**
 * Picks the format that is predicted cheapest. A sparse one has to be cheaper than dense by a margin, so that an error
 * of the model does not make a layer slower than it was. Pure: the same analysis and context give the same choice.
 */
export function chooseFormat(analysis: LayerAnalysis, context: ChoiceContext): FormatChoice {
  const storage = storageFor(context.storage ?? 'float32', analysis);
  const candidates = candidatesOf(analysis, { ...context, storage });
  const dense = candidates.find(({ format }) => format === 'dense') as FormatCandidate;
  if (analysis.depthwise) {
    const reason = 'a depthwise convolution has a dense kernel of its own';
    return { format: 'dense', storage: 'float32', reason, winograd: false, candidates: [dense] };
  }
  const winograd = winogradPays(analysis, { ...context, storage });
  if (analysis.pattern === 'dense')
    return { format: 'dense', storage, reason: 'next to no zeros', winograd, candidates };
  const [cheapest = dense] = candidates;
  const pays = cheapest.predictedMicroseconds <= dense.predictedMicroseconds * (1 - sparseMargin);
  const { format } = pays ? cheapest : dense;
  const reason = reasonFor(analysis, format, candidates);
  return { format, storage: storageIn(format, storage), reason, winograd, candidates };
}

function candidatesOf(analysis: LayerAnalysis, context: ChoiceContext): FormatCandidate[] {
  const { formats = weightFormats } = context;
  const canTake = (format: WeightFormat) => formats.includes(format) && canHold(analysis, format, context);
  // csr is for what the other formats of single weights cannot hold: it loads an index of 32 bits for each.
  const needsCsr = !canTake('sell') && !canTake('ell');
  return weightFormats
    .filter((format) => format === 'dense' || (canTake(format) && (format !== 'csr' || needsCsr)))
    .map((format) => candidate(format, predictCost(analysis, format, context)))
    .sort((a, b) => a.predictedMicroseconds - b.predictedMicroseconds);
}

function candidate(format: WeightFormat, { microseconds, bytes }: Prediction): FormatCandidate {
  return { format, predictedMicroseconds: microseconds, bytes };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function reasonFor(
  { sparsity, pattern }: LayerAnalysis,
  chosen: WeightFormat,
  candidates: readonly FormatCandidate[],
): string {
  const cost = (wanted: WeightFormat) =>
    candidates.find(({ format }) => format === wanted)?.predictedMicroseconds ?? 0;
  const where = pattern === 'dense' ? 'scattered' : printPattern(pattern);
  const zeros = `${percent(sparsity)} zeros, ${where}`;
  if (chosen !== 'dense')
    return `${zeros}: predicted to take ${percent(cost(chosen) / cost('dense'))} of dense`;
  const best = candidates.find(({ format }) => format !== 'dense');
  if (best === undefined) return `${zeros}: no sparse format can hold the layer`;
  const ratio = cost(best.format) / cost('dense');
  return `${zeros}: ${best.format} is predicted to take ${percent(ratio)} of dense`;
}
