import type { Graph } from '../../graph/graph.js';
import { findLayers } from '../../graph/layers.js';
import { applyPruning } from '../../prune/apply.js';
import { type CurvePoint, valueAt } from '../../prune/curves.js';
import type { PlannedLayer, PruningPlan } from '../../prune/plan.js';
import type { Meter } from './meter.js';

/** Measured times of a layer over its sparsity, by the name of the layer. */
export interface LayerTimes {
  readonly name: string;
  readonly groups: number;
  readonly outputs: number;
  readonly inputs: number;
  readonly pattern: string;
  /** By ascending sparsity; the format is the one that a session takes there. */
  readonly points: readonly TimePoint[];
}

export interface TimePoint {
  readonly sparsity: number;
  readonly format: string;
  readonly milliseconds: number;
}

/** How long each layer of a network takes on this CPU at each sparsity, and all that is no layer. Plain data. */
export interface TimeTable {
  readonly layers: readonly LayerTimes[];
  readonly restMilliseconds: number;
}

/**
 * Times every layer in its place in the network, all layers pruned alike, once for each plan. Weights share the caches
 * with those of the other layers, and each session packs them in the format it would.
 * @param plans of the same layers, by rising sparsity, the first with nothing removed
 */
export function measureTimes(
  graph: Graph,
  plans: readonly PruningPlan[],
  meter: Pick<Meter, 'steps'>,
  onProgress: (share: number) => void = () => {},
): TimeTable {
  const nodes = new Map(findLayers(graph).map((layer) => [layer.name, layer.node]));
  const rests: number[] = [];
  const runs = plans.map((plan, i) => {
    const steps = meter.steps(applyPruning(graph, plan));
    onProgress((i + 1) / plans.length);
    const shares = sharesOf(plan, nodes);
    const times = plan.layers.map((layer) => timeOf(layer, steps, nodes, shares));
    const all = steps.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    rests.push(all - times.reduce((sum, { milliseconds }) => sum + milliseconds, 0));
    return times;
  });
  const layers = (plans[0]?.layers ?? []).map(
    ({ name, groups, outputs, inputs, pattern }, at): LayerTimes => {
      const points = plans.map(({ layers: planned }, i) => {
        const { removedUnits = 0, units = 1 } = planned[at] ?? {};
        return { sparsity: removedUnits / units, ...(runs[i]?.[at] ?? { format: 'dense', milliseconds: 0 }) };
      });
      const rising = points.filter((point, i) => point.sparsity > (points[i - 1]?.sparsity ?? -1));
      return { name, groups, outputs, inputs, pattern, points: rising };
    },
  );
  rests.sort((a, b) => a - b);
  return { layers, restMilliseconds: rests[Math.floor(rests.length / 2)] ?? 0 };
}

/** What a network should take with these sparsities by layer; layers that have none are dense. */
export function predictedTime(table: TimeTable, sparsities: ReadonlyMap<string, number>): number {
  return table.layers.reduce(
    (sum, layer) => sum + valueAt(timeCurve(layer), sparsities.get(layer.name) ?? 0),
    table.restMilliseconds,
  );
}

/**
 * The times of a layer as they should be: never rising, for what is dense can be run as dense at any sparsity, and noise
 * of the machine only adds.
 */
export function timeCurve({ points }: LayerTimes): CurvePoint[] {
  let least = Number.POSITIVE_INFINITY;
  return points.map(({ sparsity, milliseconds }) => {
    least = Math.min(least, milliseconds);
    return { sparsity, value: least };
  });
}

/** The planned weights of each node: a recurrent one has two, which share its time. */
function sharesOf({ layers }: PruningPlan, nodes: ReadonlyMap<string, string>): Map<string, number> {
  const weights = new Map<string, number>();
  for (const layer of layers)
    for (const name of layer.nodes) {
      const node = nodes.get(name) ?? name;
      weights.set(node, (weights.get(node) ?? 0) + layer.weights);
    }
  return weights;
}

function timeOf(
  layer: PlannedLayer,
  steps: ReturnType<Meter['steps']>,
  nodes: ReadonlyMap<string, string>,
  shares: ReadonlyMap<string, number>,
): Omit<TimePoint, 'sparsity'> {
  let milliseconds = 0;
  let format = 'dense';
  for (const name of layer.nodes) {
    const node = nodes.get(name) ?? name;
    for (const step of steps.filter((own) => own.name === node)) {
      milliseconds += (step.milliseconds * layer.weights) / (shares.get(node) ?? layer.weights);
      format = step.format ?? format;
    }
  }
  return { format, milliseconds };
}
