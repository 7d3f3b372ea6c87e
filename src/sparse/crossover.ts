import type { LayerAnalysis } from './analyze.js';
import { type ChoiceContext, chooseFormat } from './format.js';
import { type BlockPattern, blockOf, blockPatterns, type Pattern } from './patterns.js';
import type { WeightFormat } from './weight_formats.js';

/** Another format would be chosen at this sparsity, the nearest to the layer's own in its direction. */
export interface FormatChange {
  readonly pattern: Pattern;
  readonly sparsity: number;
  readonly format: WeightFormat;
}

const scanStep = 0.01;
const precision = 5e-4;

/**
 * Where the choice changes when a layer of the same shape has fewer or more zeros in the same pattern; for a dense
 * layer, in single weights and in 16x1 blocks. At most one change to each side, found by bisection of the cost model.
 */
export function changesAt(analysis: LayerAnalysis, context: ChoiceContext): FormatChange[] {
  if (analysis.depthwise) return [];
  const { pattern } = analysis;
  const patterns: Pattern[] = pattern === 'dense' ? ['unstructured', '16x1'] : [pattern];
  return patterns.flatMap((one) => {
    const formatAt = (sparsity: number) => chooseFormat(atSparsity(analysis, one, sparsity), context).format;
    return [-scanStep, scanStep].flatMap((step) => {
      const found = firstChange(formatAt, analysis.sparsity, step);
      return found === undefined ? [] : [{ pattern: one, ...found }];
    });
  });
}

/** Scans from `start` in steps until the format changes, then halves the last step. */
function firstChange(
  formatAt: (sparsity: number) => WeightFormat,
  start: number,
  step: number,
): Pick<FormatChange, 'sparsity' | 'format'> | undefined {
  const own = formatAt(start);
  let same = start;
  for (let sparsity = start + step; sparsity >= 0 && sparsity < 1; sparsity += step) {
    if (formatAt(sparsity) === own) {
      same = sparsity;
      continue;
    }
    let other = sparsity;
    while (Math.abs(other - same) > precision) {
      const middle = (same + other) / 2;
      if (formatAt(middle) === own) same = middle;
      else other = middle;
    }
    return { sparsity: Math.round(other * 1000) / 1000, format: formatAt(other) };
  }
  return undefined;
}

/** What the analysis would be had the layer another sparsity in this pattern, blocks of it lying at random. */
export function atSparsity(analysis: LayerAnalysis, pattern: Pattern, sparsity: number): LayerAnalysis {
  const { weights, groups, outputs, inputs } = analysis;
  const before = 1 - analysis.sparsity;
  const after = 1 - sparsity;
  const { rows: height } = blockOf(pattern);
  const stored = (block: BlockPattern) => {
    const { rows } = blockOf(block);
    const all = groups * Math.ceil(outputs / rows) * inputs * rows;
    /** Chance that some weight of a block is not zero. */
    const used = (density: number) => 1 - (1 - density) ** Math.max(1, rows / height);
    const now = before === 0 ? all : analysis.storedWeights[block] / used(before);
    return Math.min(all, now * used(after));
  };
  const storedWeights = Object.fromEntries(blockPatterns.map((block) => [block, stored(block)]));
  return {
    ...analysis,
    pattern,
    sparsity,
    zeros: weights * sparsity,
    denormals: 0,
    storedWeights: storedWeights as LayerAnalysis['storedWeights'],
  };
}
