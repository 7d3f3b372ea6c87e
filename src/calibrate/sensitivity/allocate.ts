import { EspalierError } from '../../errors.js';
import { type AllocatedLayer, type AllocationOptions, exactShares } from '../../prune/allocation.js';
import { cheapestChoices, valueAt } from '../../prune/curves.js';
import { risingErrors, type SensitivityReport } from './report.js';

/**
 * Sparsities by layer that remove exactly round(sparsity * units) units of all layers at the least sum of the measured
 * errors: the next unit costs as much error wherever it is taken from.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when a layer was not measured, or the bounds cannot hold the sparsity
 */
export function allocateBySensitivity(
  report: SensitivityReport,
  layers: readonly AllocatedLayer[],
  { sparsity, minSparsity = 0, maxSparsity = 0.99 }: AllocationOptions,
): Map<string, number> {
  if (!(minSparsity <= sparsity && sparsity <= maxSparsity)) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected a sparsity between minSparsity ${minSparsity} and maxSparsity ${maxSparsity}, got ${sparsity}`,
    );
  }
  const choices = layers.map(({ name, units }) => {
    const curve = risingErrors(report, name);
    const inside = curve.map((point) => point.sparsity).filter((s) => s > minSparsity && s < maxSparsity);
    return [minSparsity, ...inside, maxSparsity].map((s) => ({
      sparsity: s,
      gain: s * units,
      cost: beyond(curve, s),
    }));
  });
  const total = layers.reduce((sum, { units }) => sum + units, 0);
  return exactShares(layers, cheapestChoices(choices, sparsity * total), Math.round(sparsity * total));
}

/** The error at a sparsity; past the last point as steep as it was before it, for what was not measured is no cheaper. */
function beyond(curve: ReturnType<typeof risingErrors>, sparsity: number): number {
  const [before, last] = curve.slice(-2);
  if (before === undefined || last === undefined || sparsity <= last.sparsity)
    return valueAt(curve, sparsity);
  const slope = Math.max(0, (last.value - before.value) / (last.sparsity - before.sparsity));
  return last.value + slope * (sparsity - last.sparsity);
}
