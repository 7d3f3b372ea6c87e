import type { Graph } from '../../graph/graph.js';
import { findLayers } from '../../graph/layers.js';
import { orderedWeights } from '../../sparse/weights.js';
import type { Importance } from '../importance.js';
import { forEachUnit, isKept } from '../mask.js';
import type { PruningPlan } from '../plan.js';

/** The share of all scores of a plan's layers that its masks keep, in [0, 1]. */
export function keptImportance(graph: Graph, plan: PruningPlan, importance: Importance): number {
  const layers = new Map(findLayers(graph).map((layer) => [layer.name, layer]));
  let [kept, total] = [0, 0];
  for (const { name, pattern, mask } of plan.layers) {
    const layer = layers.get(name);
    if (layer === undefined) continue;
    const scores = importance(layer, orderedWeights(graph, layer));
    forEachUnit(layer, pattern, (unit, firstRow, rows, firstInput, inputs) => {
      let sum = 0;
      for (let row = firstRow; row < firstRow + rows; row++)
        for (let i = firstInput; i < firstInput + inputs; i++)
          sum += scores[row * layer.inputs + i] as number;
      total += sum;
      if (isKept(mask, unit)) kept += sum;
    });
  }
  return total === 0 ? 0 : kept / total;
}
