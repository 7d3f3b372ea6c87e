import { EspalierError } from '../../errors.js';
import { randomFeeds } from '../../evaluate/feeds.js';
import type { Graph } from '../../graph/graph.js';
import type { Shapes } from '../../prune/structured/analyze.js';
import type { TensorMap } from '../../tensor.js';
import { runKey } from '../key.js';
import type { CalibratedPruning } from '../run.js';
import type { Samples } from '../samples.js';
import { levelsOf, pruneLike } from './levels.js';
import { sessionMeter } from './meter.js';
import { describeAmount, parseTarget, type Quantity } from './options.js';
import { rememberingMeter, stateOfRound } from './remember.js';
import { type Attempt, lowestLevel } from './search.js';
import type { TimeTable } from './table.js';
import { parseTargetOptions, type TargetOptions } from './target_options.js';

/** What was asked for and what came of it. Plain data. */
export interface MetTarget {
  readonly quantity: Quantity;
  readonly limit: number;
  /** Of the dense network and of the pruned one, measured. */
  readonly dense: number;
  readonly reached: number;
  /** Of latencies: how long every layer takes at every sparsity. */
  readonly table: TimeTable | undefined;
}

export interface TargetPruning extends CalibratedPruning {
  readonly target: MetTarget;
}

/** The network that data have pruned is measured again; it is pruned so often at most. */
const mostRounds = 3;

/**
 * Prunes no more than it takes to meet a target. For a latency every layer is timed on this CPU at several sparsities, in
 * its place in the network; the table predicts what a sparsity comes to, and whole networks, pruned by magnitude, are
 * measured until the lowest one that meets the target is found. Then the network is pruned by the method, with these
 * sparsities, and measured once more. Other quantities are counted instead.
 * @throws EspalierError ERR_ESPALIER_TARGET when `maxSparsity` (default: 0.95) does not meet it, with what was reached;
 *   and those of {@link pruneCalibrated}
 */
export async function pruneToTarget(
  graph: Graph,
  samples: Samples,
  options: TargetOptions,
): Promise<TargetPruning> {
  const { target: wanted, shapes, meter: given, onProgress, ...rest } = options;
  const target = parseTarget(wanted, 'pruneToTarget options.target');
  const pruning = parseTargetOptions(rest, target);
  const { state } = rest;
  await state?.begin(runKey(graph, samples, options));
  const measuring = given ?? sessionMeter(feedsOf(graph, samples, shapes), target);
  const meter = state === undefined ? measuring : rememberingMeter(measuring, state);
  let told = 0;
  const report = (from: number, to: number) => (share: number) => {
    told = Math.max(told, from + share * (to - from)); // another round begins anew
    onProgress?.(told);
  };
  const levels = levelsOf(graph, samples, pruning, {
    meter,
    quantity: target.quantity,
    onProgress: report(0, 0.2),
  });
  const dense = { level: 0, amount: meter.amount(graph, target.quantity), result: undefined };
  let limit = target.limit;
  let least = Number.POSITIVE_INFINITY;
  const known: Attempt<CalibratedPruning | undefined>[] = [dense];
  for (let round = 0; round < mostRounds && limit > 0; round++) {
    const found = await lowestLevel({
      quantity: target.quantity,
      limit,
      largestLevel: levels.largest,
      predict: levels.predict,
      known,
      attempt: async (at) => {
        const sketch = await levels.sketch(at);
        const attempt = { level: at, amount: meter.amount(sketch.graph, target.quantity), result: sketch };
        known.push({ ...attempt, result: undefined }); // for later rounds the measurement is enough
        report(0.2, 0.5)(1 - 1 / known.length);
        return attempt;
      },
    }).catch((error: unknown) => {
      // Later rounds ask for more than the target, to make up for what the method's network takes.
      if (round > 0 && error instanceof EspalierError && error.code === 'ERR_ESPALIER_TARGET')
        return undefined;
      throw error;
    });
    if (found === undefined) break;
    const sketch = found.result ?? (await levels.sketch(found.level));
    const done = !pruning.fits || found.level === 0;
    const pruned = done
      ? sketch
      : await pruneLike(graph, samples, sketch.plan, pruning, {
          state: state && stateOfRound(state, round),
          onProgress: report(0.5, 1),
        });
    const reached = done ? found.amount : meter.amount(pruned.graph, target.quantity);
    if (reached <= target.limit) {
      const { quantity, limit: asked } = target;
      return {
        ...pruned,
        target: { quantity, limit: asked, dense: dense.amount, reached, table: levels.table },
      };
    }
    least = Math.min(least, reached);
    // What the method's network takes beyond the sketch, such as biases, it will take again.
    limit = Math.min(limit * (target.limit / reached), found.amount - (reached - target.limit));
  }
  throw new EspalierError(
    'ERR_ESPALIER_TARGET',
    `Expected ${describeAmount(target.quantity, target.limit)} at most; the least that the method's networks reached is ` +
      `${describeAmount(target.quantity, least)}`,
  );
}

/** The first sample, else random inputs. */
function feedsOf(graph: Graph, samples: Samples, shapes: Shapes = {}): TensorMap {
  return samples[0] ?? randomFeeds(graph.inputs, { shapes: new Map(Object.entries(shapes)) });
}
