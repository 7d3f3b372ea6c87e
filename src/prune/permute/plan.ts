import * as v from 'valibot';
import { EspalierError } from '../../errors.js';
import type { Graph } from '../../graph/graph.js';
import { findLayers, type Layer } from '../../graph/layers.js';
import { optionsObject, parseOptions, progressCallback, shareBelowOne } from '../../options.js';
import { blockOf, keptOfEvery, type Pattern, parsePattern } from '../../sparse/patterns.js';
import { orderedWeights } from '../../sparse/weights.js';
import { type Importance, magnitude } from '../importance.js';
import { sparsityOf } from '../options.js';
import { planPruning } from '../plan.js';
import { analyze, type Shapes } from '../structured/analyze.js';
import { type GroupAxis, groupsOf, type StructuredGroup } from '../structured/groups.js';
import { shapesSchema } from '../structured/options.js';
import { rewrite } from '../structured/rewrite.js';
import { Selection } from '../structured/selection.js';
import { keptImportance } from './kept.js';
import { InputGroups, type Objective, RowBlocks } from './objective.js';
import { searchOrder } from './search.js';

/** What {@link planPermutation} takes. */
export interface PermutationOptions {
  /** The pattern that the permuted graph is to be pruned to: `16x1` (any Rx1), or `2:4` (any N:M). */
  readonly pattern: Pattern;
  /** The sparsity it is to be pruned to; an N:M pattern says it itself. */
  readonly sparsity?: number | undefined;
  /** Scores of weights, none below 0. Default: {@link magnitude}. */
  readonly importance?: Importance | undefined;
  /** Dims of inputs that the model leaves open. */
  readonly shapes?: Shapes | undefined;
  /** Called while orders are searched, with the share of the groups that are done. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** New orders of channels. Plain data: it survives JSON. */
export interface PermutationPlan {
  readonly pattern: Pattern;
  readonly sparsity: number;
  readonly shapes: Shapes;
  /** For each group that changes, the old number of the channel at each place. */
  readonly groups: readonly { readonly name: string; readonly order: readonly number[] }[];
  /** Share of all scores that pruning to the pattern keeps, without and with the new orders. */
  readonly kept: { readonly before: number; readonly after: number };
}

const schema = optionsObject({
  pattern: v.string('a pattern'),
  sparsity: v.optional(shareBelowOne),
  importance: v.optional(
    v.custom<Importance>((value) => typeof value === 'function', 'a function'),
    () => magnitude,
  ),
  shapes: v.optional(shapesSchema, {}),
  onProgress: v.optional(progressCallback, () => () => {}),
});

/**
 * Searches orders of channels with which a pattern keeps more: outputs that want the same inputs come into one block of
 * r x 1, and inputs that matter together are spread over the groups of N:M. What gives the channels and what takes them
 * is reordered alike, so the network computes the same and no run pays for it. Changes nothing.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for other patterns and wrong options; the errors of `findGroups` and
 *   {@link planPruning}
 */
export function planPermutation(graph: Graph, options: PermutationOptions): PermutationPlan {
  const where = 'planPermutation options';
  const { importance, shapes, onProgress, ...given } = parseOptions(schema, options, where);
  const pattern = parsePattern(given.pattern);
  const sparsity = sparsityOf(pattern, given.sparsity, where);
  const { rows, columns } = blockOf(pattern);
  if (keptOfEvery(pattern) === undefined && (rows === 1 || columns !== 1)) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected ${where}.pattern to be Rx1 with R > 1 or N:M, which an order of channels changes, got ${pattern}`,
    );
  }
  const analysis = analyze(graph, shapes);
  const layers = new Map(findLayers(analysis.graph).map((layer) => [layer.weight, layer]));
  const plan = planPruning(analysis.graph, { sparsity, pattern, importance });
  const pruned = new Set(plan.layers.map(({ weight }) => weight));
  const orders = new Map<StructuredGroup, readonly number[]>();
  const groups = groupsOf(analysis).filter(({ blocked }) => blocked?.moves !== false);
  for (const [done, group] of groups.entries()) {
    onProgress(done / groups.length);
    const objectives = group.members.flatMap(({ constant, axis, role }): Objective[] => {
      const layer = layers.get(constant);
      const own = group.axes.find((candidate) => candidate.value === constant && candidate.axis === axis);
      if (layer === undefined || own === undefined || !pruned.has(constant)) return [];
      const objective = objectiveOf(analysis.graph, layer, own, role, { pattern, sparsity, importance });
      return objective === undefined ? [] : [objective];
    });
    if (objectives.length === 0) continue;
    const order = searchOrder(group.units, objectives);
    if (order.some((unit, slot) => unit !== slot)) orders.set(group, order);
  }
  const permuted = rewrite(analysis, new Selection(analysis.dims, orders), shapes);
  const after = planPruning(permuted, { sparsity, pattern, importance });
  return {
    pattern,
    sparsity,
    shapes,
    groups: [...orders].map(([{ name }, order]) => ({ name, order })),
    kept: {
      before: keptImportance(analysis.graph, plan, importance),
      after: keptImportance(permuted, after, importance),
    },
  };
}

interface Target {
  readonly pattern: Pattern;
  readonly sparsity: number;
  readonly importance: Importance;
}

/** What a layer wants of the order of an axis; undefined when the order of that axis changes nothing for its blocks. */
function objectiveOf(
  graph: Graph,
  layer: Layer,
  { perUnit, indices }: GroupAxis,
  role: 'output' | 'input' | 'other',
  { pattern, sparsity, importance }: Target,
): Objective | undefined {
  const group = keptOfEvery(pattern);
  if (perUnit !== 1 || layer.groups !== 1 || role !== (group === undefined ? 'output' : 'input'))
    return undefined;
  const scores = importance(layer, orderedWeights(graph, layer));
  if (group === undefined)
    return new RowBlocks(scores, layer.inputs, blockOf(pattern).rows, indices, sparsity);
  const taps = layer.op === 'Conv' ? layer.inputs / (graph.constants.get(layer.weight)?.dims[1] ?? 1) : 1;
  return new InputGroups(scores, layer.inputs, taps, group, indices);
}

/**
 * The graph with its channels in the orders of a plan: it computes the same, to rounding. The operators are those of
 * opset 21.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when the plan was not made for a graph like this one
 */
export function applyPermutation(graph: Graph, plan: PermutationPlan): Graph {
  const analysis = analyze(graph, plan.shapes);
  const known = new Map(groupsOf(analysis).map((group) => [group.name, group]));
  const orders = new Map<StructuredGroup, readonly number[]>();
  for (const { name, order } of plan.groups) {
    const group = known.get(name);
    const isOrder =
      group !== undefined &&
      group.blocked?.moves !== false &&
      order.length === group.units &&
      [...order].sort((a, b) => a - b).every((unit, i) => unit === i);
    if (!isOrder) {
      const got =
        group === undefined ? 'no such group' : `${group.units} units to put into ${order.length} places`;
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected the permutation plan to order the units of group "${name}", got ${got}`,
      );
    }
    orders.set(group, order);
  }
  return rewrite(analysis, new Selection(analysis.dims, orders), plan.shapes);
}
