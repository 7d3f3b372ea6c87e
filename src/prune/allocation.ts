import { EspalierError } from '../errors.js';

/** What allocation knows of a layer. */
export interface AllocatedLayer {
  readonly name: string;
  /** Units of its pattern. */
  readonly units: number;
  /** Dims of one group's matrix as the graph of random connections counts them: [outputs, inputs, ...kernel]. */
  readonly dims: readonly number[];
  /** Percent of scores that are outliers, for OWL. */
  readonly outliers?: number | undefined;
}

export interface AllocationOptions {
  /** Share of all units to remove. */
  readonly sparsity: number;
  /** No layer loses less, none more. Default: 0 and 0.99. */
  readonly minSparsity?: number | undefined;
  readonly maxSparsity?: number | undefined;
}

/**
 * Sparsities by layer such that exactly round(sparsity * units) units of all layers together are removed:
 * - `er`: densities proportional to (outputs + inputs) / (outputs inputs), as in D. Mocanu et al., 2018;
 * - `erk`: kernel dims join both sums, U. Evci et al., "Rigging the Lottery", 2020 (arXiv 1911.11134). Where a density
 *   would pass its bound it is held there, and those of the other layers are solved for again;
 * - `owl`: layers with more outliers keep more, L. Yin et al., "Outlier Weighed Layerwise Sparsity", 2024
 *   (arXiv 2310.05175), within `owlSpread` (lambda) of the mean.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when the bounds cannot hold the sparsity
 */
export function allocateSparsity(
  method: 'er' | 'erk' | 'owl',
  layers: readonly AllocatedLayer[],
  { sparsity, minSparsity = 0, maxSparsity = 0.99 }: AllocationOptions,
): Map<string, number> {
  if (!(minSparsity <= sparsity && sparsity <= maxSparsity)) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected a sparsity between minSparsity ${minSparsity} and maxSparsity ${maxSparsity}, got ${sparsity}`,
    );
  }
  const clamp = (share: number) => Math.min(maxSparsity, Math.max(minSparsity, share));
  const total = layers.reduce((sum, { units }) => sum + units, 0);
  const shapes = layers.map(method === 'owl' ? () => 0 : (layer) => densityOf(layer, method));
  const spread = owlOffsets(layers);
  const sharesAt = (level: number) =>
    method === 'owl'
      ? spread.map((offset) => clamp(level - offset))
      : shapes.map((density) => clamp(1 - density / level));
  const removedAt = (level: number) =>
    sharesAt(level).reduce((sum, share, i) => sum + share * (layers[i] as AllocatedLayer).units, 0);
  // What is removed grows with the level, so halving an interval finds the one that removes the sparsity.
  let low = method === 'owl' ? -1 : Number.MIN_VALUE;
  let high = method === 'owl' ? 2 : Math.max(...shapes) / Math.max(1 - maxSparsity, 1e-9);
  for (let step = 0; step < 200 && low < high; step++) {
    const middle = (low + high) / 2;
    if (removedAt(middle) < sparsity * total) low = middle;
    else high = middle;
  }
  return exactShares(layers, sharesAt(high), Math.round(sparsity * total));
}

function densityOf({ dims }: AllocatedLayer, method: 'er' | 'erk'): number {
  const [outputs = 1, inputs = 1] = dims;
  const counted = method === 'erk' ? dims : [outputs, inputs];
  return counted.reduce((sum, dim) => sum + dim, 0) / counted.reduce((product, dim) => product * dim, 1);
}

/** lambda of OWL: sparsities differ from their mean by at most this. */
const owlSpread = 0.08;

/** D_l of OWL, scaled to [0, 2 lambda]. */
function owlOffsets(layers: readonly AllocatedLayer[]): number[] {
  const outliers = layers.map((layer) => layer.outliers ?? 0);
  const least = Math.min(...outliers);
  const range = Math.max(...outliers) - least;
  return outliers.map((value) => (range === 0 ? 0 : ((value - least) / range) * 2 * owlSpread));
}

/**
 * Whole units from shares: each is rounded down, and those with the largest remainders get one more until the total is
 * right; ties go to the earlier layer. Shares that come to more than the total lose one unit each, the last first.
 */
export function exactShares(
  layers: readonly AllocatedLayer[],
  shares: readonly number[],
  removals: number,
): Map<string, number> {
  const counts = layers.map(({ units }, i) => Math.min(units - 1, Math.floor((shares[i] as number) * units)));
  const order = layers
    .map(({ units }, i) => ({ i, rest: (shares[i] as number) * units - (counts[i] as number) }))
    .sort((a, b) => b.rest - a.rest || a.i - b.i);
  let missing = removals - counts.reduce((sum, count) => sum + count, 0);
  for (let changed = true; missing > 0 && changed; ) {
    changed = false;
    for (const { i } of order) {
      if (missing === 0) break;
      if ((counts[i] as number) + 1 > (layers[i] as AllocatedLayer).units - 1) continue;
      counts[i] = (counts[i] as number) + 1;
      missing--;
      changed = true;
    }
  }
  for (const { i } of order.toReversed()) {
    if (missing >= 0) break;
    if (counts[i] === 0) continue;
    counts[i] = (counts[i] as number) - 1;
    missing++;
  }
  return new Map(layers.map(({ name, units }, i) => [name, (counts[i] as number) / units]));
}
