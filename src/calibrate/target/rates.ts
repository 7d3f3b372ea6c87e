import type { Graph } from '../../graph/graph.js';
import { findLayers, type Layer } from '../../graph/layers.js';
import { type CurvePoint, cheapestChoices, valueAt } from '../../prune/curves.js';
import { forEachUnit, isKept } from '../../prune/mask.js';
import type { PruningPlan } from '../../prune/plan.js';
import { orderedWeights } from '../../sparse/weights.js';
import { predictedTime, type TimeTable, timeCurve } from './table.js';

/**
 * Sparsities by layer that save a share of all the time that sparsity can save, at the least sum of errors: a layer
 * that gets no faster keeps its weights, one that gets faster at little error loses most. The idea is that of E.
 * Frantar and D. Alistarh, "SPDY", 2022 (arXiv 2201.13096), solved by marginal costs.
 * @param errors of each layer over its sparsity, by the name of the layer
 * @param share in [0, 1]
 */
export function timedSparsities(
  table: TimeTable,
  errors: ReadonlyMap<string, readonly CurvePoint[]>,
  share: number,
): Map<string, number> {
  const choices = table.layers.map((layer) => {
    const times = timeCurve(layer);
    const dense = times[0]?.value ?? 0;
    const curve = errors.get(layer.name) ?? [];
    return times.map(({ sparsity, value }) => ({
      sparsity,
      gain: dense - value,
      cost: valueAt(curve, sparsity),
    }));
  });
  const most = choices.reduce((sum, own) => sum + Math.max(0, ...own.map(({ gain }) => gain)), 0);
  const dense = predictedTime(table, new Map());
  const found = (wanted: number) => {
    const sparsities = cheapestChoices(choices, wanted);
    return new Map(table.layers.map(({ name }, i) => [name, sparsities[i] ?? 0]));
  };
  // Between two choices of a layer its time is not straight where the hull left out one between them: ask for a little
  // more until the table says that the share is saved.
  let asked = share * most;
  for (let step = 0; step < 20; step++) {
    const missing = share * most - (dense - predictedTime(table, found(asked)));
    if (missing <= 1e-3 * most || asked >= most) break;
    asked = Math.min(most, asked + missing);
  }
  return found(asked);
}

/** The share of the sum of squares of a layer that each of the plans removes, by the name of the layer. */
export function removedSquares(
  graph: Graph,
  plans: readonly PruningPlan[],
): Map<string, readonly CurvePoint[]> {
  const layers = new Map(findLayers(graph).map((layer) => [layer.name, layer]));
  return new Map(
    (plans[0]?.layers ?? []).map(({ name }, at) => {
      const layer = layers.get(name) as Layer; // plans are made of the graph's layers
      const squares = orderedWeights(graph, layer).map((weight) => weight * weight);
      const all = squares.reduce((sum, square) => sum + square, 0);
      const points = plans.map(({ layers: planned }) => {
        const own = planned[at];
        let sum = 0;
        if (own !== undefined)
          forEachUnit(layer, own.pattern, (unit, firstRow, rows, firstInput, inputs) => {
            if (isKept(own.mask, unit)) return;
            for (let row = firstRow; row < firstRow + rows; row++)
              for (let input = firstInput; input < firstInput + inputs; input++)
                sum += squares[row * layer.inputs + input] as number;
          });
        return { sparsity: (own?.removedUnits ?? 0) / (own?.units ?? 1), value: all === 0 ? 0 : sum / all };
      });
      return [name, points];
    }),
  );
}
