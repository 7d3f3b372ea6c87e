import type { LayerAnalysis } from './analyze.js';

/** How the weights of a layer lie in memory; `native/formats/packed_weights.h` packs them. */
export const weightFormats = ['dense', 'block16', 'block8', 'block4', 'csr'] as const;

export type WeightFormat = (typeof weightFormats)[number];

export interface FormatChoice {
  readonly format: WeightFormat;
  /** One line for people: what was stored, and what it is estimated to cost. */
  readonly reason: string;
}

/**
 * Sparsity from which a format is as fast as the dense one. A stored weight therefore costs 1 / (1 - breakEven) times
 * what it costs in the dense format: it needs its column, and narrower blocks fill less of a vector.
 */
const breakEven = { block16: 0.35, block8: 0.35, block4: 0.45, csr: 0.62 } as const;

/** A narrower format must be estimated this much cheaper than a wider one: the wider loads fewer columns. */
const narrowerGain = 0.9;

const roundingSlack = 1e-9;

/**
 * Picks the cheapest format. The estimate is `stored weights / (1 - breakEven)` relative to the dense format's stored
 * weights; a format is considered when the layer's sparsity reaches its break-even point and its estimate does not
 * exceed the dense one. Pure: the same analysis gives the same choice.
 */
export function chooseFormat(analysis: LayerAnalysis): FormatChoice {
  const { weights, zeros, denormals, sparsity, storedWeights, denseStored } = analysis;
  if (analysis.depthwise)
    return { format: 'dense', reason: 'a depthwise convolution has a dense kernel of its own' };
  const candidates = [
    { format: 'block16', stored: storedWeights['16x1'] },
    { format: 'block8', stored: storedWeights['8x1'] },
    { format: 'block4', stored: storedWeights['4x1'] },
    { format: 'csr', stored: weights - zeros - denormals },
  ] as const;
  let best: FormatChoice & { readonly cost: number } = {
    format: 'dense',
    reason: `sparsity ${percent(sparsity)} does not pay for any sparse format`,
    cost: Number.POSITIVE_INFINITY,
  };
  for (const { format, stored } of candidates) {
    const cost = stored / denseStored / (1 - breakEven[format]);
    if (sparsity + roundingSlack < breakEven[format] || cost > 1 + roundingSlack) continue;
    if (best.format !== 'dense' && cost >= best.cost * narrowerGain) continue;
    const reason = `stores ${percent(stored / weights)} of the weights, estimated cost ${percent(cost)} of dense`;
    best = { format, reason, cost };
  }
  return { format: best.format, reason: best.reason };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
