import type { Graph } from '../graph/graph.js';
import type { Layer } from '../graph/layers.js';
import { blockOf, keptOfEvery, type Pattern } from '../sparse/patterns.js';
import { forEachUnit, type Mask, maskOf } from './mask.js';
import {
  type LayerPruneOptions,
  type PruneOptions,
  type PruneScope,
  parsePruneOptions,
  type ResolvedPruneOptions,
} from './options.js';
import { flagLowest, flagLowestOfEvery, flagLowestOfRows } from './rank.js';
import { unitScores } from './scores.js';
import { type PruningTarget, selectTargets } from './targets.js';

/** What pruning will do. Plain data: everything but the masks survives JSON. */
export interface PruningPlan {
  readonly options: PlannedOptions;
  /** One for each weight to prune, in node order. */
  readonly layers: readonly PlannedLayer[];
}

/** The options a plan was made with, defaults filled in; RegExps and the importance are their text. */
export interface PlannedOptions {
  readonly sparsity: number;
  readonly pattern: Pattern;
  readonly scope: PruneScope;
  readonly importance: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly operators: readonly string[];
  readonly layers: Readonly<Record<string, LayerPruneOptions>>;
}

export interface PlannedLayer {
  /** Name of the first layer that uses the weight: its node's, with `.W` or `.R` behind it for recurrent ones. */
  readonly name: string;
  /** Names of all layers this entry prunes; more than one when they share the weight. */
  readonly nodes: readonly string[];
  readonly op: Layer['op'];
  /** Name of the weight constant. */
  readonly weight: string;
  readonly groups: number;
  /** Outputs of one group. */
  readonly outputs: number;
  /** Inputs of one group. */
  readonly inputs: number;
  readonly pattern: Pattern;
  /** Units of the pattern in the layer: weights, or blocks. */
  readonly units: number;
  readonly removedUnits: number;
  /** groups * outputs * inputs. */
  readonly weights: number;
  /** Weights in the removed units. */
  readonly removed: number;
  /** removed / weights. */
  readonly sparsity: number;
  /** One bit per unit, 1 = kept: see {@link Mask}. */
  readonly mask: Mask;
}

/** A target with the scores of its units, and the unit it always keeps. */
interface Candidate {
  readonly target: PruningTarget;
  readonly scores: Float64Array;
  readonly best: number;
}

/**
 * Chooses what to remove; changes nothing. Of the n units of each layer (of all layers together in global scope, one
 * ranking per pattern), exactly `round(sparsity * n)` are removed: those with the lowest scores, ties going to the
 * lower index. Units that are zero already come first and count. A layer always keeps its best unit, so where rounding
 * would empty it, one unit fewer is removed. In row scope that holds for each row of units (each output, or each block
 * of outputs). An N:M pattern is ranked within each M inputs instead: all but N go.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when an option is wrong, a name matches no layer, no layer is selected,
 * or a score is NaN.
 */
export function planPruning(graph: Graph, options: PruneOptions): PruningPlan {
  const resolved = parsePruneOptions(options);
  const targets = selectTargets(graph, resolved);
  const removed = new Map<PruningTarget, Uint8Array>();
  for (const target of targets) {
    const { layer, pattern, sparsity } = target;
    const group = keptOfEvery(pattern);
    if (group === undefined && resolved.scope !== 'row') continue;
    const scores = unitScores(graph, layer, pattern, resolved.importance);
    const flags =
      group === undefined
        ? flagLowestOfRows(scores, Math.ceil(layer.inputs / blockOf(pattern).columns), sparsity)
        : flagLowestOfEvery(scores, layer.inputs, group.of, group.kept);
    removed.set(target, flags);
  }
  const ranked = targets.filter((target) => !removed.has(target));
  for (const pool of pools(ranked, resolved.scope)) {
    const candidates = pool.map((target) => {
      const scores = unitScores(graph, target.layer, target.pattern, resolved.importance);
      return { target, scores, best: lastHighest(scores) };
    });
    removeLowest(candidates, removed);
  }
  return {
    options: plannedOptions(resolved),
    layers: targets.map((target) => plannedLayer(target, removed.get(target) as Uint8Array)),
  };
}

/** Targets that are ranked together: each alone, or those of one pattern and the global sparsity. */
function pools(targets: readonly PruningTarget[], scope: PruneScope): PruningTarget[][] {
  const alone = targets.filter((target) => scope !== 'global' || target.ownSparsity);
  const byPattern = new Map<Pattern, PruningTarget[]>();
  for (const target of targets) {
    if (alone.includes(target)) continue;
    byPattern.set(target.pattern, [...(byPattern.get(target.pattern) ?? []), target]);
  }
  return [...alone.map((target) => [target]), ...byPattern.values()];
}

/** Writes, for each candidate, a flag per unit: 1 = removed. */
function removeLowest(pool: readonly Candidate[], removed: Map<PruningTarget, Uint8Array>): void {
  const units = pool.reduce((sum, { scores }) => sum + scores.length, 0);
  const sparsity = pool[0]?.target.sparsity ?? 0;
  const ranked = new Float64Array(units - pool.length); // every unit but the best of each layer
  let end = 0;
  for (const { scores, best } of pool) {
    ranked.set(scores.subarray(0, best), end);
    ranked.set(scores.subarray(best + 1), end + best);
    end += scores.length - 1;
  }
  const flags = flagLowest(ranked, Math.min(Math.round(sparsity * units), ranked.length));
  let start = 0;
  for (const { target, scores, best } of pool) {
    const own = new Uint8Array(scores.length);
    own.set(flags.subarray(start, start + best));
    own.set(flags.subarray(start + best, start + scores.length - 1), best + 1);
    removed.set(target, own);
    start += scores.length - 1;
  }
}

/** The unit that (score, index) order puts last. */
function lastHighest(scores: Float64Array): number {
  let best = 0;
  for (let unit = 1; unit < scores.length; unit++) {
    if ((scores[unit] as number) >= (scores[best] as number)) best = unit;
  }
  return best;
}

/** What a plan says of a target. `flags` has 1 for each unit that is removed. */
export function plannedLayer(
  { layer, nodes, pattern }: Pick<PruningTarget, 'layer' | 'nodes' | 'pattern'>,
  flags: Uint8Array,
): PlannedLayer {
  const { name, op, weight, groups, outputs, inputs } = layer;
  const weights = groups * outputs * inputs;
  let removed = 0;
  let removedUnits = 0;
  forEachUnit(layer, pattern, (unit, _firstRow, rows, _firstInput, columns) => {
    if (flags[unit] === 0) return;
    removed += rows * columns;
    removedUnits++;
  });
  const counts = { units: flags.length, removedUnits, weights, removed, sparsity: removed / weights };
  return { name, nodes, op, weight, groups, outputs, inputs, pattern, ...counts, mask: maskOf(flags) };
}

/** The options as a plan keeps them. */
export function plannedOptions(options: ResolvedPruneOptions): PlannedOptions {
  const { sparsity, pattern, scope, importance, include, exclude, operators, layers } = options;
  return {
    sparsity,
    pattern,
    scope,
    importance: importance.name || 'custom',
    include: (include ?? []).map(String),
    exclude: exclude.map(String),
    operators: operators ?? [],
    layers,
  };
}
