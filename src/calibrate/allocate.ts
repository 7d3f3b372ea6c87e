import { EspalierError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { type AllocatedLayer, allocateSparsity, exactShares } from '../prune/allocation.js';
import type { Importance } from '../prune/importance.js';
import { type ActivationStatistics, wanda } from '../prune/importance_activation.js';
import { lamp } from '../prune/importance_structure.js';
import { type PruningPlan, planPruning } from '../prune/plan.js';
import type { PruningTarget } from '../prune/targets.js';
import { keptOfEvery } from '../sparse/patterns.js';
import { orderedWeights } from '../sparse/weights.js';
import type { ResolvedCalibratedOptions } from './options.js';
import { allocateBySensitivity } from './sensitivity/allocate.js';
import type { SensitivityReport } from './sensitivity/report.js';

/**
 * Sparsities by layer name for the layers that have none of their own; none for a uniform allocation, which planning
 * does by itself.
 */
export function allocate(
  graph: Graph,
  uniform: PruningPlan,
  targets: readonly PruningTarget[],
  options: ResolvedCalibratedOptions,
  { importance, statistics }: { importance: Importance; statistics: ActivationStatistics | undefined },
): Map<string, number> {
  const { allocation } = options;
  if (allocation === 'uniform') return new Map();
  const open = targets.filter(({ ownSparsity }) => !ownSparsity);
  const fixed = open.find(({ pattern }) => keptOfEvery(pattern) !== undefined);
  if (fixed !== undefined) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected a uniform allocation for layer "${fixed.layer.name}", whose pattern ${fixed.pattern} says its sparsity, got ${allocation}`,
    );
  }
  const layers = open.map((target) => describe(graph, uniform, target, statistics));
  const bounds = {
    sparsity: uniform.options.sparsity,
    minSparsity: options.minSparsity,
    maxSparsity: options.maxSparsity,
  };
  if (allocation === 'sensitivity')
    return allocateBySensitivity(options.sensitivity as SensitivityReport, layers, bounds); // options say it is there
  if (allocation === 'global' || allocation === 'lamp')
    return rankTogether(
      graph,
      open,
      layers,
      options,
      allocation === 'lamp' ? lamp : importance,
      bounds.sparsity,
    );
  return allocateSparsity(allocation, layers, bounds);
}

function describe(
  graph: Graph,
  uniform: PruningPlan,
  { layer }: PruningTarget,
  statistics: ActivationStatistics | undefined,
): AllocatedLayer {
  const { name, weight, op, outputs, inputs } = layer;
  const units = uniform.layers.find((entry) => entry.weight === weight)?.units ?? 1;
  const [, channels = inputs, ...kernel] = op === 'Conv' ? (graph.constants.get(weight)?.dims ?? []) : [];
  const dims = [outputs, channels, ...kernel];
  if (statistics === undefined) return { name, units, dims };
  const scores = Float64Array.from(wanda(statistics)(layer, orderedWeights(graph, layer)));
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const above = scores.reduce((count, score) => count + (score > outlierFactor * mean ? 1 : 0), 0);
  return { name, units, dims, outliers: (100 * above) / scores.length };
}

/** M of OWL: a score is an outlier when it is that many times the mean. */
const outlierFactor = 5;

/**
 * The sparsities that one ranking of all units gives. A layer that passes a bound is held there, and the others are
 * ranked again for the rest.
 */
function rankTogether(
  graph: Graph,
  targets: readonly PruningTarget[],
  layers: readonly AllocatedLayer[],
  { minSparsity, maxSparsity }: ResolvedCalibratedOptions,
  importance: Importance,
  sparsity: number,
): Map<string, number> {
  const total = layers.reduce((sum, { units }) => sum + units, 0);
  const held = new Map<string, number>();
  for (;;) {
    const rest = layers.filter(({ name }) => !held.has(name));
    const units = rest.reduce((sum, layer) => sum + layer.units, 0);
    const gone = layers.reduce((sum, layer) => sum + layer.units * (held.get(layer.name) ?? 0), 0);
    const share = (sparsity * total - gone) / units;
    if (rest.length === 0 || !(share >= minSparsity - 1e-12 && share <= maxSparsity + 1e-12)) {
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected a sparsity that every layer can have between ${minSparsity} and ${maxSparsity}, got ${sparsity}`,
      );
    }
    const plan = planPruning(graph, {
      sparsity: Math.min(1 - 1e-12, Math.max(0, share)),
      scope: 'global',
      importance,
      include: rest.map(({ name }) => name),
      layers: Object.fromEntries(
        targets
          .filter(({ layer }) => !held.has(layer.name))
          .map(({ layer, pattern }) => [layer.name, { pattern }]),
      ),
    });
    const shares = rest.map(({ name, units: size }) => {
      return (plan.layers.find((entry) => entry.name === name)?.removedUnits ?? 0) / size;
    });
    const broken = rest.filter((_, i) => outside(shares[i] as number, minSparsity, maxSparsity));
    if (broken.length === 0) {
      const all = layers.map(
        ({ name }) => held.get(name) ?? (shares[rest.findIndex((r) => r.name === name)] as number),
      );
      return exactShares(layers, all, Math.round(sparsity * total));
    }
    for (const { name } of broken) {
      const value = shares[rest.findIndex((layer) => layer.name === name)] as number;
      held.set(name, value < minSparsity ? minSparsity : maxSparsity);
    }
  }
}

function outside(share: number, least: number, most: number): boolean {
  return share < least - 1e-12 || share > most + 1e-12;
}
