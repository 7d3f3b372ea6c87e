import { availableParallelism } from 'node:os';
import * as v from 'valibot';
import { EspalierError } from '../../errors.js';
import type { Graph } from '../../graph/graph.js';
import { findLayers } from '../../graph/layers.js';
import { callback, optionsObject, parseOptions, progressCallback } from '../../options.js';
import { applyPruning } from '../../prune/apply.js';
import { type PruneOptions, pruneEntries } from '../../prune/options.js';
import { type PlannedLayer, planPruning } from '../../prune/plan.js';
import { keptOfEvery } from '../../sparse/patterns.js';
import type { Tensor } from '../../tensor.js';
import { forEachSample } from '../collect.js';
import type { Samples } from '../samples.js';
import type { Values } from '../walk.js';
import { type SensitivityMeasure, type SensitivityReport, sensitivityMeasures } from './report.js';

/** The loss of one sample: of the network's outputs by name, in any unit; lower is better. */
export type SampleLoss = (outputs: Values, index: number) => number | Promise<number>;

/** What {@link measureSensitivity} takes. */
export interface SensitivityOptions
  extends Pick<PruneOptions, 'pattern' | 'importance' | 'scope' | 'include' | 'exclude' | 'operators'> {
  /** Where each layer is measured. Default: 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9 and 0.95. */
  readonly sparsities?: readonly number[] | undefined;
  /** Default: network, and loss where there is one. */
  readonly measure?: SensitivityMeasure | undefined;
  /** A user's own measure, such as a task's score. */
  readonly loss?: SampleLoss | undefined;
  /** Default: the CPUs of this process. */
  readonly threads?: number | undefined;
  /** Called with the share that is done, in [0, 1]. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

const { pattern, importance, scope, include, exclude, operators } = pruneEntries;
const share = v.pipe(
  v.number('a number in (0, 1)'),
  v.check((value) => value > 0 && value < 1, 'a number in (0, 1)'),
);
const schema = optionsObject({
  pattern,
  importance,
  scope,
  include,
  exclude,
  operators,
  sparsities: v.optional(
    v.pipe(
      v.array(share, 'a list of numbers in (0, 1)'),
      v.check((list) => list.length > 0, 'a list of one number at least'),
    ),
    [0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95],
  ),
  measure: v.optional(v.picklist(sensitivityMeasures, `one of ${sensitivityMeasures.join(', ')}`)),
  loss: v.optional(callback<SampleLoss>()),
  threads: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1, 'at least 1')), () =>
    availableParallelism(),
  ),
  onProgress: v.optional(progressCallback),
});

/**
 * Prunes one layer at a time to each of some sparsities, leaves all others dense, and measures what that does on data:
 * S. Han et al., "Learning both weights and connections", 2015, section 3. Nothing is refitted, so what is measured is
 * what a layer loses at most. One sample is held at a time, and the dense outputs that are compared with.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for wrong options and an N:M pattern, which has one sparsity; _INPUT for
 *   no samples, and for outputs or losses that are not finite; and those of planning and of sessions
 */
export async function measureSensitivity(
  graph: Graph,
  samples: Samples,
  options: SensitivityOptions = {},
): Promise<SensitivityReport> {
  const where = 'measureSensitivity options';
  const { sparsities, loss, threads, onProgress, ...given } = parseOptions(schema, options, where);
  const measure = given.measure ?? (loss === undefined ? 'network' : 'loss');
  if ((measure === 'loss') !== (loss !== undefined))
    throw wrong(`${where}.loss for measure loss and for no other, got ${measure}`);
  if (keptOfEvery(given.pattern as never) !== undefined)
    throw wrong(`${where}.pattern to leave the sparsity open, got ${given.pattern}`);
  if (samples.length === 0)
    throw new EspalierError('ERR_ESPALIER_INPUT', 'Expected samples to measure on, got none');
  const { measure: _measure, ...planning } = given;
  const ascending = [...new Set(sparsities)].sort((a, b) => a - b);
  const plans = ascending.map((sparsity) => planPruning(graph, { ...planning, sparsity }));
  const layers = plans[0]?.layers ?? [];
  const judge = loss === undefined ? new ErrorJudge(samples, threads) : new LossJudge(samples, threads, loss);
  const reports: SensitivityReport['layers'][number][] = [];
  for (const [at, { name, op, pattern: own, units, nodes }] of layers.entries()) {
    const values = measure === 'layer' ? outputsOf(graph, nodes) : graph.outputs.map((output) => output.name);
    const points: { sparsity: number; error: number }[] = [];
    for (const [i, plan] of plans.entries()) {
      const layer = plan.layers[at] as PlannedLayer;
      const pruned = applyPruning(graph, { ...plan, layers: [layer] });
      const error = await judge.errorOf(graph, pruned, values);
      if (!Number.isFinite(error)) {
        throw new EspalierError(
          'ERR_ESPALIER_INPUT',
          `Expected finite ${loss === undefined ? 'outputs' : 'losses'} with layer "${name}" at ${layer.sparsity}, got ${error}`,
        );
      }
      // Rounding to whole units can give two sparsities that are one.
      const sparsity = layer.removedUnits / layer.units;
      if (sparsity > (points.at(-1)?.sparsity ?? 0)) points.push({ sparsity, error });
      onProgress?.((at + (i + 1) / plans.length) / layers.length);
    }
    if (points.length > 0) reports.push({ name, op, pattern: own, units, points });
  }
  const method = planning.importance.name || 'custom';
  return { measure, method, samples: samples.length, dense: judge.dense, layers: reports };
}

/** What the nodes of a layer give. */
function outputsOf(graph: Graph, names: readonly string[]): string[] {
  const nodes = new Set(
    findLayers(graph)
      .filter(({ name }) => names.includes(name))
      .map(({ node }) => node),
  );
  return graph.nodes.filter(({ name }) => nodes.has(name)).flatMap(({ outputs }) => outputs[0] ?? []);
}

interface Judge {
  /** The mean loss of the dense network; 0 where there is no loss. */
  readonly dense: number;
  errorOf(dense: Graph, pruned: Graph, values: readonly string[]): Promise<number>;
}

/** |y - y0|^2 / |y0|^2 of some values; y0 is kept for as long as the same values are asked for. */
class ErrorJudge implements Judge {
  readonly dense = 0;
  readonly #samples: Samples;
  readonly #threads: number;
  #names = '';
  #known: Values[] = [];

  constructor(samples: Samples, threads: number) {
    this.#samples = samples;
    this.#threads = threads;
  }

  async errorOf(dense: Graph, pruned: Graph, values: readonly string[]): Promise<number> {
    if (this.#names !== values.join('\n')) {
      this.#names = values.join('\n');
      this.#known = [];
      await forEachSample(dense, values, this.#samples, this.#threads, (found) => {
        this.#known.push(found);
      });
    }
    let [difference, norm] = [0, 0];
    await forEachSample(pruned, values, this.#samples, this.#threads, (found, index) => {
      for (const name of values) {
        const [y, y0] = [found.get(name), this.#known[index]?.get(name)];
        if (y === undefined || y0 === undefined) continue; // forEachSample gives every name
        for (let i = 0; i < y0.data.length; i++) {
          const [value, before] = [elementOf(y, i), elementOf(y0, i)];
          difference += (value - before) ** 2;
          norm += before ** 2;
        }
      }
    });
    return difference === 0 ? 0 : difference / norm;
  }
}

/** The mean of a user's losses, less that of the dense network. */
class LossJudge implements Judge {
  readonly #samples: Samples;
  readonly #threads: number;
  readonly #loss: SampleLoss;
  #dense: number | undefined;

  constructor(samples: Samples, threads: number, loss: SampleLoss) {
    this.#samples = samples;
    this.#threads = threads;
    this.#loss = loss;
  }

  get dense(): number {
    return this.#dense ?? 0;
  }

  async errorOf(dense: Graph, pruned: Graph, values: readonly string[]): Promise<number> {
    this.#dense ??= await this.#mean(dense, values);
    return (await this.#mean(pruned, values)) - this.#dense;
  }

  async #mean(graph: Graph, values: readonly string[]): Promise<number> {
    let sum = 0;
    await forEachSample(graph, values, this.#samples, this.#threads, async (outputs, index) => {
      sum += await this.#loss(outputs, index);
    });
    return sum / this.#samples.length;
  }
}

function elementOf({ data }: Tensor, index: number): number {
  return Number(data[index]);
}

function wrong(expected: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${expected}`);
}
