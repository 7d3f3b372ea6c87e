import type { CostModel } from './cost.js';
import type { ResolvedStructuredOptions } from './options.js';

/** The units of a group to choose from. */
export interface Candidate {
  /** [units] */
  readonly scores: Float64Array;
  /** Kept units are a multiple of it, and at least it. */
  readonly step: number;
}

type Target = Pick<ResolvedStructuredOptions, 'sparsity' | 'measure' | 'scope'>;

/** How many units each group loses. */
export function removals(candidates: readonly Candidate[], cost: CostModel, target: Target): number[] {
  const { sparsity, measure, scope } = target;
  const uniform = (share: number) =>
    candidates.map(({ scores, step }) => stepped(scores.length, Math.round(share * scores.length), step));
  if (scope === 'layer' && measure === 'units') return uniform(sparsity);
  const total = candidates.reduce((sum, { scores }) => sum + scores.length, 0);
  const ranked = rank(candidates);
  const global = (count: number) => {
    const removed = candidates.map(() => 0);
    for (const group of ranked.subarray(0, count)) removed[group] = (removed[group] ?? 0) + 1;
    return candidates.map(({ scores, step }, g) => stepped(scores.length, removed[g] ?? 0, step));
  };
  if (measure === 'units') {
    const wanted = Math.round(sparsity * total);
    return global(first(total, (count) => sum(global(count)) >= wanted));
  }
  const none = candidates.map(() => 0);
  const budget = (1 - sparsity) * cost.of(none)[measure];
  // As many steps as the largest group has units change something; each is one candidate of a uniform share.
  const largest = 2 * Math.max(...candidates.map(({ scores }) => scores.length));
  const [steps, at] =
    scope === 'global' ? [total, global] : [largest, (step: number) => uniform(step / largest)];
  return at(first(steps, (step) => cost.of(at(step))[measure] <= budget));
}

/** The groups of all units, lowest score first, ties in the order of groups and units. */
function rank(candidates: readonly Candidate[]): Int32Array {
  const groups = Int32Array.from(candidates.flatMap(({ scores }, g) => Array.from(scores, () => g)));
  const scores = Float64Array.from(candidates.flatMap((candidate) => [...candidate.scores]));
  const order = Int32Array.from(groups.keys()).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0) || a - b);
  return order.map((unit) => groups[unit] ?? 0);
}

/** Removals after which a multiple of `step` is kept, and at least one of them. */
function stepped(units: number, removed: number, step: number): number {
  const kept = units - removed;
  return removed === 0 ? 0 : units - Math.max(step, kept - (kept % step));
}

/** The first of 0 to `last` for which `reached` holds, or `last`; `reached` never stops to hold. */
function first(last: number, reached: (count: number) => boolean): number {
  let low = 0;
  for (let high = last; low < high; ) {
    const middle = (low + high) >> 1;
    if (reached(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
