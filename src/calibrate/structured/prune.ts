import type { Graph } from '../../graph/graph.js';
import { applyStructuredPruning } from '../../prune/structured/apply.js';
import { planStructuredPruning, type StructuredPlan } from '../../prune/structured/plan.js';
import { applyBlockPruning, type BlockPlan, planBlockPruning } from '../../prune/structured/plan_blocks.js';
import { pushConstants } from '../constants.js';
import type { Samples } from '../samples.js';
import type { MetTarget } from '../target/prune.js';
import { pruneStructuredToTarget } from '../target/structured.js';
import { parseStructureOptions, type StructureOptions } from './options.js';
import { blockScores, unitScores } from './scores.js';

/** A graph without some units, or without some residual blocks. */
export type StructurePruning = { readonly graph: Graph; readonly target?: MetTarget | undefined } & (
  | { readonly kind: 'units'; readonly plan: StructuredPlan }
  | { readonly kind: 'blocks'; readonly plan: BlockPlan }
);

/**
 * Removes channels, neurons, heads, embedding width or residual blocks: scores them by a method, on data where it needs
 * some, plans, and applies the plan.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT, _INPUT (data that are missing), _TARGET; and those of planning
 */
export async function pruneStructure(
  graph: Graph,
  samples: Samples,
  options: StructureOptions,
): Promise<StructurePruning> {
  const resolved = parseStructureOptions(options);
  const { structure, sparsity = 0, scope, measure, roundTo, include, exclude, shapes, threads } = resolved;
  if (structure === 'layer') {
    const scores = await blockScores(graph, samples, resolved);
    const plan = planBlockPruning(graph, { sparsity, shapes, scores });
    return { kind: 'blocks', graph: applyBlockPruning(graph, plan), plan };
  }
  const scored = await unitScores(graph, samples, resolved);
  const planning = { kinds: structure, scope, measure, roundTo, include, exclude, shapes, ...scored };
  const { maxSparsity, meter } = resolved;
  const { plan, target } =
    options.target === undefined
      ? { plan: planStructuredPruning(graph, { ...planning, sparsity }), target: undefined }
      : await pruneStructuredToTarget(graph, { ...planning, target: options.target, maxSparsity, meter });
  const full = resolved.pushConstants ? await pushConstants(graph, plan, samples, threads) : graph;
  return { kind: 'units', graph: applyStructuredPruning(full, plan), plan, target };
}
