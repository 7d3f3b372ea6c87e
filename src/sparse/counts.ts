import type { Layer } from '../graph/layers.js';
import type { LayerAnalysis } from './analyze.js';
import type { BlockPattern, Pattern } from './patterns.js';

/** What has to be counted in a layer's weights; the rest of a {@link LayerAnalysis} follows from it and the shape. */
export interface LayerCounts {
  readonly zeros: number;
  readonly denormals: number;
  readonly pattern: Pattern | 'dense';
  /** Blocks of each pattern that are not wholly zero. */
  readonly blocks: Readonly<Record<BlockPattern, number>>;
  readonly rowBalance: number;
  readonly largest: number;
  readonly emptyOutputs: number;
  readonly emptyInputs: number;
}

/** The shape of a layer that its analysis states. */
export type LayerShape = Pick<Layer, 'op' | 'groups' | 'outputs' | 'inputs'> & {
  readonly depthwise: boolean;
};

/** The analysis of a layer whose weights were counted. */
export function completeAnalysis(layer: LayerShape, counts: LayerCounts): LayerAnalysis {
  const { op, groups, outputs, inputs, depthwise } = layer;
  const { zeros, denormals, pattern, blocks, rowBalance, largest, emptyOutputs, emptyInputs } = counts;
  const weights = groups * outputs * inputs;
  const nonZeros = weights - zeros - denormals;
  const perPattern = (value: (rows: number, kept: number) => number): Record<BlockPattern, number> => ({
    '16x1': value(16, blocks['16x1']),
    '8x1': value(8, blocks['8x1']),
    '4x1': value(4, blocks['4x1']),
  });
  const all = (rows: number) => groups * Math.ceil(outputs / rows) * inputs;
  return {
    op,
    groups,
    outputs,
    inputs,
    weights,
    zeros,
    denormals,
    sparsity: (zeros + denormals) / weights,
    pattern,
    blockSparsity: perPattern((rows, kept) => 1 - kept / all(rows)),
    storedWeights: perPattern((rows, kept) => rows * kept),
    storedRatio: perPattern((rows, kept) => (nonZeros === 0 ? 1 : (rows * kept) / nonZeros)),
    denseStored: 16 * all(16),
    rowBalance,
    largest,
    emptyOutputs,
    emptyInputs,
    depthwise,
  };
}

/** The counts that an analysis was made of. */
export function countsOf(analysis: LayerAnalysis): LayerCounts {
  const { zeros, denormals, pattern, storedWeights, rowBalance, largest, emptyOutputs, emptyInputs } =
    analysis;
  const blocks = {
    '16x1': storedWeights['16x1'] / 16,
    '8x1': storedWeights['8x1'] / 8,
    '4x1': storedWeights['4x1'] / 4,
  };
  return { zeros, denormals, pattern, blocks, rowBalance, largest, emptyOutputs, emptyInputs };
}
