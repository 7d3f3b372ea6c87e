import type { Graph } from '../graph/graph.js';
import { isKept } from '../prune/mask.js';
import { type ImportanceName, importanceByName, methodTraits } from '../prune/methods.js';
import type { LayerPruneOptions } from '../prune/options.js';
import { type PlannedLayer, type PruningPlan, planPruning } from '../prune/plan.js';
import { type PruningTarget, selectTargets } from '../prune/targets.js';
import { allocate } from './allocate.js';
import type { ResolvedCalibratedOptions } from './options.js';
import type { Samples } from './samples.js';
import { activationStatistics, sightedTargets } from './statistics.js';

export interface PlannedCalibration {
  readonly targets: readonly PruningTarget[];
  /** For methods that choose on the way only the sparsities count. */
  readonly plan: PruningPlan;
}

/** Chooses sparsities and, where the method does it beforehand, masks; runs the dense network once if need be. */
export async function planCalibrated(
  graph: Graph,
  samples: Samples,
  options: ResolvedCalibratedOptions,
  onProgress: (share: number) => void,
): Promise<PlannedCalibration> {
  const { method, chooser, allocation, gradients, seed, rows, threads } = options;
  const scored: ImportanceName = chooser === undefined ? (method as ImportanceName) : 'magnitude';
  const { sparsity, pattern, include, exclude, operators, layers, scope } = options;
  const planning = { sparsity, pattern, include, exclude, operators, layers };
  const uniform = planPruning(graph, planning);
  const selected = targetsOf(graph, uniform, planning);
  const statistics =
    methodTraits(scored).needs === 'statistics' || allocation === 'owl'
      ? await activationStatistics(graph, sightedTargets(graph, selected), samples, {
          rowsPerSample: Math.ceil(rows / samples.length),
          threads,
          onSample: (index) => onProgress((index + 1) / samples.length),
        })
      : undefined;
  const importance = importanceByName(scored, { graph, statistics, gradients, seed });
  const own = allocate(graph, uniform, selected, options, { importance, statistics });
  const merged: Record<string, LayerPruneOptions> = { ...layers };
  for (const [name, share] of own) merged[name] = { ...merged[name], sparsity: share };
  const plan = planPruning(graph, { ...planning, layers: merged, scope, importance });
  const named = chooser === undefined ? plan.options : { ...plan.options, importance: chooser };
  const targets = targetsOf(graph, plan, { ...planning, layers: merged });
  return { targets, plan: { ...plan, options: named } };
}

/** The targets of a plan: those that planning with the same options selects. */
function targetsOf(
  graph: Graph,
  { options }: PruningPlan,
  {
    include,
    exclude,
    operators,
    layers,
  }: Pick<ResolvedCalibratedOptions, 'include' | 'exclude' | 'operators' | 'layers'>,
): PruningTarget[] {
  const { sparsity, pattern, scope } = options;
  const importance = () => new Float64Array(0); // targets do not depend on it
  return selectTargets(graph, { sparsity, pattern, scope, importance, include, exclude, operators, layers });
}

/** The removed units of a plan's layer, one byte each. */
export function removedUnits({ units, mask }: PlannedLayer): Uint8Array {
  return Uint8Array.from({ length: units }, (_, unit) => (isKept(mask, unit) ? 0 : 1));
}
