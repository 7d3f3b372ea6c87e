import { EspalierError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { loadAddon } from '../native/addon.js';
import { applyPruning } from '../prune/apply.js';
import { unitCount } from '../prune/mask.js';
import { type PlannedLayer, type PruningPlan, plannedLayer } from '../prune/plan.js';
import { useCounts } from '../prune/uses.js';
import { keptOfEvery } from '../sparse/patterns.js';
import { orderedWeights } from '../sparse/weights.js';
import { forEachSamplePair } from './collect.js';
import { runKey } from './key.js';
import { replaceLayer } from './layer_weights.js';
import { Moments, type Resources } from './moments.js';
import { type CalibratedOptions, parseCalibratedOptions, type ResolvedCalibratedOptions } from './options.js';
import { planCalibrated, removedUnits } from './plan.js';
import { chooseRows, type LayerRows } from './rows.js';
import type { Samples } from './samples.js';
import { type SolvedLayer, solveLayer } from './solve.js';
import type { Sighted } from './statistics.js';

export interface CalibratedPruning {
  /** The pruned graph, its weights and biases fitted; `graph` stays as it was. */
  readonly graph: Graph;
  /** What was removed. */
  readonly plan: PruningPlan;
}

/**
 * Prunes a graph by what its layers see on calibration data, and fits what is kept so that the network computes what it
 * did: see {@link solveLayer}. Layers are taken in order, each with its inputs in the network pruned so far. The data
 * stream through the network once for each layer (layers that share their input take it together), so that memory
 * holds two matrices [inputs, inputs] of one layer, never the activations of many.
 * The same inputs give the same bits on every machine but for what the network itself computes.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT, _INPUT (data that are missing, or not finite), _UNSUPPORTED
 */
export async function pruneCalibrated(
  graph: Graph,
  samples: Samples,
  options: CalibratedOptions,
): Promise<CalibratedPruning> {
  const resolved = parseCalibratedOptions(options);
  const { state, onProgress } = resolved;
  if (resolved.needsData && samples.length === 0) {
    throw new EspalierError(
      'ERR_ESPALIER_INPUT',
      `Expected calibration data for method ${resolved.method}${resolved.refit ? ' with refit' : ''}, got no samples`,
    );
  }
  await state?.begin(runKey(graph, samples, options));
  const planned = await planCalibrated(graph, samples, resolved, (share) => onProgress?.(share * 0.05));
  if (resolved.method !== 'sparsegpt' && !resolved.refit)
    return { graph: applyPruning(graph, planned.plan), plan: planned.plan };
  const run = new CalibratedRun(graph, samples, resolved, planned.plan);
  const stages = stagesOf(planned.targets);
  for (const [i, stage] of stages.entries()) {
    await run.prune(stage, (share) => onProgress?.(0.05 + (0.95 * (i + share)) / stages.length));
  }
  return { graph: run.graph, plan: { ...planned.plan, layers: run.layers } };
}

/** Neighbouring targets that see the same rows, such as the queries, keys and values of attention. */
function stagesOf(targets: readonly Sighted[]): Sighted[][] {
  const stages: Sighted[][] = [];
  const keyOf = ({ sights }: Sighted) => sights.map(({ key }) => key).join('\n');
  for (const target of targets) {
    const last = stages.at(-1);
    if (last?.[0] !== undefined && keyOf(last[0]) === keyOf(target)) last.push(target);
    else stages.push([target]);
  }
  return stages;
}

class CalibratedRun {
  graph: Graph;
  readonly layers: PlannedLayer[] = [];
  readonly #dense: Graph;
  readonly #samples: Samples;
  readonly #options: ResolvedCalibratedOptions;
  readonly #plan: PruningPlan;
  readonly #resources: Resources;

  constructor(graph: Graph, samples: Samples, options: ResolvedCalibratedOptions, plan: PruningPlan) {
    this.graph = graph;
    this.#dense = graph;
    this.#samples = samples;
    this.#options = options;
    this.#plan = plan;
    const isa = process.env['ESPALIER_ISA'] || 'auto';
    this.#resources = { linalg: loadAddon(), isa, threads: options.threads };
  }

  /** Prunes the layers of a stage and takes them over into the graph. */
  async prune(stage: readonly Sighted[], onProgress: (share: number) => void): Promise<void> {
    const { state } = this.#options;
    const known = stage.map(({ target }) => state?.get(target.layer.weight));
    const solved = known.every((layer) => layer !== undefined)
      ? (known as SolvedLayer[])
      : await this.#solve(stage, onProgress);
    for (const [i, { target }] of stage.entries()) {
      const layer = solved[i] as SolvedLayer;
      this.graph = replaceLayer(this.graph, target.layer, target.nodes, layer);
      this.layers.push(plannedLayer(target, layer.removed));
    }
  }

  async #solve(stage: readonly Sighted[], onProgress: (share: number) => void): Promise<SolvedLayer[]> {
    const { refit, damping, ridge, method, state } = this.#options;
    const [first] = stage as [Sighted];
    const moments = await this.#collect(first, (share) => onProgress(share * 0.8));
    const solved: SolvedLayer[] = [];
    for (const [i, { target }] of stage.entries()) {
      const { layer, nodes, pattern, sparsity } = target;
      const entry = this.#plan.layers.find(({ weight }) => weight === layer.weight) as PlannedLayer;
      const units = unitCount(layer, pattern);
      const isGroup = keptOfEvery(pattern) !== undefined;
      const shared = (useCounts(this.#dense).get(layer.weight) ?? 0) > 1;
      const result = await solveLayer(
        layer,
        orderedWeights(this.#dense, layer),
        moments,
        {
          pattern,
          removed: method === 'sparsegpt' ? undefined : removedUnits(entry),
          removals: isGroup ? 0 : Math.min(Math.round(sparsity * units), units - 1),
          refit,
          bias: !shared && nodes.length === 1,
          damping,
          ridge,
        },
        this.#resources,
      );
      await state?.set(layer.weight, result);
      solved.push(result);
      onProgress(0.8 + (0.2 * (i + 1)) / stage.length);
    }
    return solved;
  }

  /** Moments of the rows that the first target of a stage (and so each) sees, for each group. */
  async #collect(
    { target: { layer }, sights }: Sighted,
    onProgress: (share: number) => void,
  ): Promise<Moments[]> {
    const { refit, rows, threads } = this.#options;
    const moments = Array.from(
      { length: layer.groups },
      () => new Moments(this.#resources, layer.inputs, refit),
    );
    const names = [...new Set(sights.map(({ input }) => input))];
    const rowsPerSample = Math.ceil(rows / this.#samples.length);
    const dense = refit ? this.#dense : undefined;
    await forEachSamplePair(this.graph, dense, names, this.#samples, threads, async (now, before, index) => {
      for (const sight of sights) {
        const [x, y] = [now.get(sight.input), before.get(sight.input)] as const;
        if (x === undefined || y === undefined) continue; // forEachSamplePair gives every name
        const chosen = chooseRows(sight.count(x), rowsPerSample, index);
        for (const [group, sums] of moments.entries()) {
          const reader =
            (tensor: typeof x, read: LayerRows['read']) => (which: Uint32Array, out: Float32Array) =>
              read(tensor, which, group, out);
          await sums.add(chosen, reader(x, sight.read), reader(y, sight.read));
        }
      }
      onProgress((index + 1) / this.#samples.length);
    });
    for (const sums of moments) await sums.finish(layer.name);
    return moments;
  }
}
