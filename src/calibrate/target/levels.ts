import type { Graph } from '../../graph/graph.js';
import type { CurvePoint } from '../../prune/curves.js';
import { type PlannedLayer, type PruningPlan, planPruning } from '../../prune/plan.js';
import type { CalibratedOptions } from '../options.js';
import { pruneCalibrated } from '../prune.js';
import type { CalibratedPruning } from '../run.js';
import type { Samples } from '../samples.js';
import { risingErrors } from '../sensitivity/report.js';
import type { Meter } from './meter.js';
import { isLatency, type Quantity } from './options.js';
import { removedSquares, timedSparsities } from './rates.js';
import { measureTimes, predictedTime, type TimeTable } from './table.js';
import type { Pruning } from './target_options.js';

/** Where layers are timed. */
const timedAt = [0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/** How far a network can be pruned, and what that comes to. */
export interface Levels {
  readonly largest: number;
  readonly table: TimeTable | undefined;
  readonly predict: (level: number) => number | Promise<number>;
  /** A network that is as sparse as the method would make it, without the method's work. */
  readonly sketch: (level: number) => Promise<CalibratedPruning>;
}

/** What levels are measured with. */
export interface Measuring {
  readonly meter: Meter;
  readonly quantity: Quantity;
  readonly onProgress: (share: number) => void;
}

export function levelsOf(graph: Graph, samples: Samples, pruning: Pruning, measuring: Measuring): Levels {
  return (isLatency(measuring.quantity) ? timedLevels : countedLevels)(graph, samples, pruning, measuring);
}

/** Levels are sparsities. What they come to is counted on networks pruned by magnitude. */
function countedLevels(
  graph: Graph,
  samples: Samples,
  pruning: Pruning,
  { meter, quantity }: Measuring,
): Levels {
  const sketch = (level: number) => sketchOf(graph, samples, pruning, level);
  const amounts = new Map<number, number>();
  const predict = async (level: number) => {
    const known = amounts.get(level) ?? meter.amount((await sketch(level)).graph, quantity);
    amounts.set(level, known);
    return known;
  };
  return { largest: pruning.maxSparsity, table: undefined, predict, sketch };
}

/** Levels are sparsities, or for `latency` shares of the time that can be saved; the table tells what they come to. */
function timedLevels(
  graph: Graph,
  samples: Samples,
  pruning: Pruning,
  { meter, onProgress }: Measuring,
): Levels {
  const { allocation, maxSparsity, options } = pruning;
  const { pattern, include, exclude, operators, layers = {} } = options;
  const sparsities = [...timedAt.filter((sparsity) => sparsity < maxSparsity), maxSparsity];
  const planning = { pattern, include, exclude, operators, layers };
  const plans = sparsities.map((sparsity) => planPruning(graph, { ...planning, sparsity }));
  const table = measureTimes(graph, plans, meter, onProgress);
  if (allocation === 'latency') {
    const errors = errorsOf(graph, plans, options);
    const at = (level: number) => timedSparsities(table, errors, level);
    return {
      largest: 1,
      table,
      predict: (level) => predictedTime(table, at(level)),
      sketch: (level) => sketchOf(graph, samples, withSparsities(pruning, at(level)), 0),
    };
  }
  const sketch = (level: number) => sketchOf(graph, samples, pruning, level);
  const predict = async (level: number) =>
    predictedTime(
      table,
      allocation === 'uniform' ? uniform(table, level) : sparsitiesOf((await sketch(level)).plan),
    );
  return { largest: maxSparsity, table, predict, sketch };
}

/** All layers alike, but for those that the options give a sparsity of their own: these were timed at that one only. */
function uniform({ layers }: TimeTable, level: number): Map<string, number> {
  return new Map(
    layers.map(({ name, points }) => [name, points.length === 1 ? (points[0]?.sparsity ?? 0) : level]),
  );
}

function errorsOf(
  graph: Graph,
  plans: readonly PruningPlan[],
  { sensitivity }: Pruning['options'],
): ReadonlyMap<string, readonly CurvePoint[]> {
  if (sensitivity === undefined) return removedSquares(graph, plans);
  return new Map((plans[0]?.layers ?? []).map(({ name }) => [name, risingErrors(sensitivity, name)]));
}

/** Masks of a sparsity by the method, or by magnitude where that chooses layer by layer; nothing is fitted. */
async function sketchOf(
  graph: Graph,
  samples: Samples,
  pruning: Pruning,
  sparsity: number,
): Promise<CalibratedPruning> {
  const { options, allocation, sketchMethod } = pruning;
  return pruneCalibrated(graph, samples, {
    ...options,
    method: sketchMethod,
    allocation: allocation === 'latency' ? 'uniform' : allocation,
    refit: false,
    compensate: undefined,
    recalibrateBatchNorm: false,
    state: undefined,
    sparsity,
  });
}

/** The method's own pruning with the sparsities of a plan. */
export function pruneLike(
  graph: Graph,
  samples: Samples,
  plan: PruningPlan,
  pruning: Pruning,
  running: Pick<CalibratedOptions, 'state' | 'onProgress'>,
): Promise<CalibratedPruning> {
  const { options } = withSparsities(pruning, sparsitiesOf(plan));
  return pruneCalibrated(graph, samples, { ...options, sparsity: 0, ...running });
}

function sparsitiesOf({ layers }: PruningPlan): Map<string, number> {
  return new Map(layers.map(({ name, removedUnits, units }: PlannedLayer) => [name, removedUnits / units]));
}

function withSparsities(pruning: Pruning, sparsities: ReadonlyMap<string, number>): Pruning {
  const { layers = {} } = pruning.options;
  const own = [...sparsities].map(([name, sparsity]) => [name, { ...layers[name], sparsity }] as const);
  return { ...pruning, options: { ...pruning.options, layers: { ...layers, ...Object.fromEntries(own) } } };
}
