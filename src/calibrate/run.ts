import type { Graph } from '../graph/graph.js';
import { freeArrays, loadAddon } from '../native/addon.js';
import { unitCount } from '../prune/mask.js';
import { type PlannedLayer, type PruningPlan, plannedLayer } from '../prune/plan.js';
import type { PruningTarget } from '../prune/targets.js';
import { keptOfEvery } from '../sparse/patterns.js';
import { orderedWeights } from '../sparse/weights.js';
import type { Tensor } from '../tensor.js';
import { replaceLayer } from './layer_weights.js';
import { Moments, type Resources } from './moments.js';
import type { Place } from './normal_equations.js';
import type { ResolvedCalibratedOptions } from './options.js';
import { type PlannedCalibration, removedUnits } from './plan.js';
import { chooseRows } from './rows.js';
import type { Samples } from './samples.js';
import { readCorrections, type Skip } from './skip.js';
import { type SolvedLayer, type SolveOptions, solveLayer } from './solve.js';
import { isAlone, placesOf, projectionOf, type Stage, stagesOf } from './stages.js';
import { type Sighted, sightedTargets } from './statistics.js';
import { keptBytes, SampleWalk, type Values } from './walk.js';

export interface CalibratedPruning {
  /** The pruned graph, its weights and biases fitted; the one that was given stays as it was. */
  readonly graph: Graph;
  /** What was removed. */
  readonly plan: PruningPlan;
}

/** Prunes layers in order by what they see in the network pruned so far. */
export class CalibratedRun {
  #graph: Graph;
  readonly #dense: Graph;
  readonly #options: ResolvedCalibratedOptions;
  readonly #plan: PruningPlan;
  readonly #samples: Samples;
  readonly #stages: readonly Stage[];
  readonly #walk: SampleWalk;
  readonly #resources: Resources;

  constructor(
    graph: Graph,
    samples: Samples,
    options: ResolvedCalibratedOptions,
    { targets, plan }: PlannedCalibration,
  ) {
    this.#graph = graph;
    this.#dense = graph;
    this.#options = options;
    this.#plan = plan;
    this.#samples = samples;
    const isa = process.env['ESPALIER_ISA'] || 'auto';
    this.#resources = { linalg: loadAddon(), isa, threads: options.threads };
    this.#stages = stagesOf(graph, sightedTargets(graph, targets), options);
    const stops = this.#stages.map(({ views, targets: own }) => ({
      views,
      nodes: own.flatMap(({ target }) => target.nodes),
    }));
    const keep = options.activationBytes ?? keptBytes(graph);
    this.#walk = new SampleWalk(graph, samples, stops, { threads: options.threads, keep, free: true });
  }

  /** Prunes stage after stage. */
  async prune(onProgress: (share: number) => void): Promise<CalibratedPruning> {
    const layers: PlannedLayer[] = [];
    const { state } = this.#options;
    for (const [i, { targets }] of this.#stages.entries()) {
      const known = targets.map(({ target }) => state?.get(target.layer.weight));
      const solved = known.every((layer) => layer !== undefined)
        ? (known as SolvedLayer[])
        : await this.#solve(i, (share) => onProgress((i + share) / this.#stages.length));
      for (const [at, { target }] of targets.entries()) {
        const layer = solved[at] as SolvedLayer;
        this.#graph = replaceLayer(this.#graph, target.layer, target.nodes, layer);
        layers.push(plannedLayer(target, layer.removed));
      }
    }
    return { graph: this.#graph, plan: { ...this.#plan, layers } };
  }

  async #solve(index: number, onProgress: (share: number) => void): Promise<SolvedLayer[]> {
    const { state } = this.#options;
    const { targets } = this.#stages[index] as Stage;
    const moments = await this.#collect(index, (share) => onProgress(share * 0.8));
    const solved: SolvedLayer[] = [];
    const places = placesOf(targets);
    for (const [i, { target }] of targets.entries()) {
      const { layer } = target;
      const dense = orderedWeights(this.#dense, layer);
      const options = this.#solveOptions(target, this.#hasBias(targets), places[i] as Place);
      const result = await solveLayer(layer, dense, moments, options, this.#resources);
      freeArrays(dense);
      await state?.set(layer.weight, result);
      solved.push(result);
      onProgress(0.8 + (0.2 * (i + 1)) / targets.length);
    }
    for (const own of moments) own.release();
    return solved;
  }

  #solveOptions({ layer, pattern, sparsity }: PruningTarget, bias: boolean, place: Place): SolveOptions {
    const { refit, rank, damping, ridge, chooser } = this.#options;
    const entry = this.#plan.layers.find(({ weight }) => weight === layer.weight) as PlannedLayer;
    const units = unitCount(layer, pattern);
    const isGroup = keptOfEvery(pattern) !== undefined;
    return {
      pattern,
      chooser,
      removed: chooser === undefined ? removedUnits(entry) : undefined,
      removals: isGroup ? 0 : Math.min(Math.round(sparsity * units), units - 1),
      refit,
      bias,
      rank: layer.op === 'Conv' ? 0 : Math.min(rank, Math.floor(Math.min(layer.outputs, layer.inputs) / 4)),
      damping,
      ridge,
      place,
    };
  }

  /** Whether a bias may make up for means: where a weight serves several nodes, each would need its own. */
  #hasBias(targets: readonly Sighted[]): boolean {
    const { refit, compensate } = this.#options;
    if (!refit && compensate !== 'bias') return false;
    return targets.every(({ target: { layer, nodes } }) => isAlone(this.#dense, layer, nodes));
  }

  /** Moments of the rows that the first target of a stage (and so each) sees, for each group. */
  async #collect(index: number, onProgress: (share: number) => void): Promise<Moments[]> {
    const { refit, rows } = this.#options;
    const { targets } = this.#stages[index] as Stage;
    const [
      {
        target: { layer },
        sights,
      },
    ] = targets;
    const skipped = targets.filter(({ skip }) => skip !== undefined);
    const width = skipped.reduce((sum, { target }) => sum + target.layer.outputs, 0);
    const { inputs, groups } = layer;
    const moments = Array.from({ length: groups }, (_, group) => {
      const projection = refit ? projectionOf(this.#dense, targets, group) : undefined;
      return new Moments(this.#resources, { inputs, paired: refit, projection, corrections: width });
    });
    const rowsPerSample = Math.ceil(rows / this.#samples.length);
    const graphs = refit ? [this.#graph, this.#dense] : [this.#graph];
    await this.#walk.at(index, graphs, async ([now, dense], sample) => {
      const read = (values: Values | undefined, name: string) => values?.get(name) as Tensor; // every view is there
      for (const sight of sights) {
        const x = read(now, sight.input);
        const count = sight.count(x);
        const chosen = chooseRows(count, rowsPerSample, sample);
        for (const [group, sums] of moments.entries()) {
          await sums.add(chosen, {
            x: (which, out) => sight.read(x, which, group, out),
            y: dense && ((which, out) => sight.read(read(dense, sight.input), which, group, out)),
            corrections: (which, out) => {
              let first = 0;
              for (const { target, skip } of skipped) {
                const { value } = skip as Skip; // filtered above
                const tensors = { now: read(now, value), dense: read(dense, value), count };
                const place = { out, first, stride: width };
                readCorrections(skip as Skip, target.layer, group, tensors, which, place);
                first += target.layer.outputs;
              }
            },
          });
        }
      }
      onProgress((sample + 1) / this.#samples.length);
    });
    for (const sums of moments) await sums.finish(layer.name, this.#hasBias(targets));
    return moments;
  }
}
