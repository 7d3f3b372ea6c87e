import type { Graph } from '../../graph/graph.js';
import { flagLowest } from '../rank.js';
import { type Analysis, analyze, type Shapes } from './analyze.js';
import { type Cost, CostModel } from './cost.js';
import { groupsOf, type StructuredGroup, type UnitKind } from './groups.js';
import { groupScores } from './importance.js';
import {
  parseStructuredOptions,
  type ResolvedStructuredOptions,
  type StructuredPruneOptions,
} from './options.js';
import { type Candidate, removals } from './removals.js';
import { UnitScorer } from './scores.js';
import { selectGroups } from './select_groups.js';

/** What structured pruning will do. Plain data: it survives JSON. */
export interface StructuredPlan {
  readonly options: PlannedStructuredOptions;
  /** One for each group that was selected, in the order of its layers. */
  readonly groups: readonly PlannedGroup[];
  readonly before: Cost;
  readonly after: Cost;
}

/** The options a plan was made with, defaults filled in; RegExps and the importance are their text. */
export interface PlannedStructuredOptions {
  readonly sparsity: number;
  readonly kinds: readonly UnitKind[];
  readonly measure: 'units' | 'parameters' | 'multiplyAdds';
  readonly scope: 'layer' | 'global';
  readonly importance: string;
  readonly side: 'both' | 'output' | 'input';
  readonly roundTo: number;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly shapes: Shapes;
}

export interface PlannedGroup {
  readonly name: string;
  readonly kind: UnitKind;
  readonly units: number;
  /** Numbers of the units that stay, ascending. */
  readonly kept: readonly number[];
}

/**
 * Chooses which channels, heads and neurons to remove; changes nothing. Of each group those with the lowest scores go,
 * ties going to the lower number; at least one stays. With measure `units` and scope `layer` exactly
 * `round(sparsity * units)` of every group go, where `roundTo` is 1; other measures are met by the fewest removals that
 * reach them, or as far as every group keeps what it has to.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when an option is wrong, a name matches no group, nothing can be pruned
 *   (and why), or a score is NaN; and the errors of {@link findGroups}
 */
export function planStructuredPruning(graph: Graph, options: StructuredPruneOptions): StructuredPlan {
  return structuredPlanner(graph, options)(options.sparsity);
}

/**
 * Plans of several sparsities: groups and scores are found once.
 * @throws EspalierError as {@link planStructuredPruning}
 */
export function structuredPlanner(
  graph: Graph,
  options: StructuredPruneOptions,
): (sparsity: number) => StructuredPlan {
  const resolved = parseStructuredOptions(options);
  const planned = prepare(analyze(graph, resolved.shapes), resolved);
  return (sparsity) => planOf(planned, { ...resolved, sparsity });
}

/** What does not depend on the sparsity. */
function prepare(analysis: Analysis, options: ResolvedStructuredOptions) {
  const groups = selectGroups(groupsOf(analysis), options);
  const scorer = new UnitScorer(analysis.graph, options.importance);
  const candidates = groups.map((group): Candidate => {
    const step = Math.min(group.units, unitStep(group, options.roundTo));
    const { groupImportance } = options;
    const whole =
      groupImportance === undefined ? undefined : groupScores(groupImportance, analysis.graph, group);
    return { scores: whole ?? scorer.score(group, options.side), step };
  });
  return { groups, candidates, cost: new CostModel(analysis, groups) };
}

function planOf(
  { groups, candidates, cost }: ReturnType<typeof prepare>,
  options: ResolvedStructuredOptions,
): StructuredPlan {
  const removed = removals(candidates, cost, options);
  return {
    options: plannedOptions(options),
    groups: groups.map(({ name, kind, units }, g) => ({
      name,
      kind,
      units,
      kept: keptUnits(candidates[g]?.scores ?? new Float64Array(), removed[g] ?? 0),
    })),
    before: cost.of(groups.map(() => 0)),
    after: cost.of(removed),
  };
}

/** How many units make a multiple of `roundTo` channels: one unit may be several of them. */
function unitStep({ members }: StructuredGroup, roundTo: number): number {
  const { perUnit = 1 } = members.find(({ role }) => role === 'output') ?? members[0] ?? {};
  let [a, b] = [roundTo, perUnit];
  while (b !== 0) [a, b] = [b, a % b];
  return roundTo / a;
}

function keptUnits(scores: Float64Array, removed: number): number[] {
  return [...flagLowest(scores, removed)].flatMap((flag, unit) => (flag === 0 ? [unit] : []));
}

function plannedOptions(options: ResolvedStructuredOptions): PlannedStructuredOptions {
  const { importance, groupImportance, include, exclude, ...rest } = options;
  return {
    ...rest,
    importance: (groupImportance ?? importance).name || 'custom',
    include: (include ?? []).map(String),
    exclude: exclude.map(String),
  };
}
