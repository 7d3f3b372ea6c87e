import { randomFeeds } from '../../evaluate/feeds.js';
import type { Graph } from '../../graph/graph.js';
import { applyStructuredPruning } from '../../prune/structured/apply.js';
import type { StructuredPruneOptions } from '../../prune/structured/options.js';
import { type StructuredPlan, structuredPlanner } from '../../prune/structured/plan.js';
import { type Meter, sessionMeter } from './meter.js';
import { type PruneTarget, parseTarget } from './options.js';
import type { MetTarget } from './prune.js';
import { lowestLevel } from './search.js';

export interface StructuredTargetOptions extends Omit<StructuredPruneOptions, 'sparsity'> {
  readonly target: PruneTarget;
  /** What is removed at most. Default: 0.9. */
  readonly maxSparsity?: number | undefined;
  /** What measures. Default: sessions on this machine, on random inputs. */
  readonly meter?: Meter | undefined;
}

/**
 * Removes no more channels, heads or neurons than it takes to meet a target: multiply-adds and parameters tell where to
 * look, whole networks are measured.
 * @throws EspalierError ERR_ESPALIER_TARGET when `maxSparsity` does not meet it, with what was reached; and those of
 *   `planStructuredPruning`
 */
export async function pruneStructuredToTarget(
  graph: Graph,
  options: StructuredTargetOptions,
): Promise<{ graph: Graph; plan: StructuredPlan; target: MetTarget }> {
  const { target: wanted, maxSparsity = 0.9, meter: given, ...planning } = options;
  const target = parseTarget(wanted, 'pruneStructuredToTarget options.target');
  const { quantity, limit } = target;
  const shapes = new Map(Object.entries(planning.shapes ?? {}));
  const meter = given ?? sessionMeter(randomFeeds(graph.inputs, { shapes }), target);
  const planAt = structuredPlanner(graph, { ...planning, sparsity: 0 });
  const attempt = async (level: number) => {
    const plan = planAt(level);
    const pruned = level === 0 ? graph : applyStructuredPruning(graph, plan);
    return { level, amount: meter.amount(pruned, quantity), result: { graph: pruned, plan } };
  };
  const dense = await attempt(0);
  const measure = quantity === 'parameters' || quantity === 'bytes' ? 'parameters' : 'multiplyAdds';
  const found = await lowestLevel({
    quantity,
    limit,
    largestLevel: maxSparsity,
    predict: (level) => planAt(level).after[measure],
    attempt,
    known: [dense],
  });
  const met = { quantity, limit, dense: dense.amount, reached: found.amount, table: undefined };
  return { ...found.result, target: met };
}
