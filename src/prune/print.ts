import { percent, shortCount, table } from '../text.js';
import type { PruningPlan } from './plan.js';

/** A plan as text for people: a table with a line per layer, and the totals. */
export function formatPruningPlan(plan: PruningPlan): string {
  const rows = plan.layers.map((layer) => [
    layer.name,
    layer.op,
    `${layer.groups > 1 ? `${layer.groups} x ` : ''}${layer.outputs} x ${layer.inputs}`,
    layer.pattern,
    shortCount(layer.weights),
    shortCount(layer.removed),
    percent(layer.sparsity),
  ]);
  const { weights, removed, sparsity } = planTotals(plan);
  rows.push(['total', '', '', '', shortCount(weights), shortCount(removed), percent(sparsity)]);
  const header = ['layer', 'op', 'outputs x inputs', 'pattern', 'weights', 'removed', 'sparsity'];
  return table(header, rows, ['weights', 'removed', 'sparsity']);
}

/** Weights, removed weights and sparsity over all layers of a plan. */
export function planTotals(plan: Pick<PruningPlan, 'layers'>): {
  weights: number;
  removed: number;
  sparsity: number;
} {
  const weights = plan.layers.reduce((sum, layer) => sum + layer.weights, 0);
  const removed = plan.layers.reduce((sum, layer) => sum + layer.removed, 0);
  return { weights, removed, sparsity: weights === 0 ? 0 : removed / weights };
}
