import * as v from 'valibot';
import { optionsObject, parseOptions, shareBelowOne } from '../options.js';

/** How sparsity rises, by the share p in [0, 1] of the way that is done: its share in [0, 1] of the whole rise. */
const curves = {
  /** M. Zhu and S. Gupta, "To prune, or not to prune", 2017 (arXiv 1710.01878): much at first, little at the end. */
  cubic: (p: number) => 1 - (1 - p) ** 3,
  linear: (p: number) => p,
  cosine: (p: number) => (1 - Math.cos(Math.PI * p)) / 2,
  /** What is kept falls by the same factor in every step; see {@link sparsityAt}. */
  exponential: undefined,
  /** Everything at the beginning. */
  once: () => 1,
} as const;

export type ScheduleName = keyof typeof curves;
export const scheduleNames = Object.keys(curves) as ScheduleName[];

/** How sparsity grows over the steps of a training, or the stages of a pruning. */
export interface Schedule {
  /** A name, or a function from the share of the way in [0, 1] to the sparsity. Default: cubic. */
  readonly curve?: ScheduleName | ((progress: number) => number) | undefined;
  /** Sparsity before the first step. Default: 0. */
  readonly from?: number | undefined;
  /** Sparsity of the last step. */
  readonly to: number;
  /** The step at which pruning begins. Default: 0. */
  readonly begin?: number | undefined;
  /** The step from which the sparsity is the last one, and masks are frozen. */
  readonly end: number;
  /** Steps between two prunings. Default: 1. */
  readonly frequency?: number | undefined;
}

const step = (least: number) =>
  v.pipe(
    v.number(`a whole number >= ${least}`),
    v.check((value) => Number.isSafeInteger(value) && value >= least, `a whole number >= ${least}`),
  );
const schema = v.pipe(
  optionsObject({
    curve: v.optional(
      v.union(
        [v.picklist(scheduleNames), v.custom<(progress: number) => number>((f) => typeof f === 'function')],
        `one of ${scheduleNames.join(', ')}, or a function`,
      ),
      'cubic',
    ),
    from: v.optional(shareBelowOne, 0),
    to: shareBelowOne,
    begin: v.optional(step(0), 0),
    end: step(0),
    frequency: v.optional(step(1), 1),
  }),
  v.check(({ begin, end }) => begin <= end, 'a schedule that ends no earlier than it begins'),
  v.check(({ from, to }) => from <= to, 'a schedule whose sparsity does not fall'),
);

/**
 * The sparsity at a step: `from` before `begin`, then that of the last step at which pruning was due, which is every
 * `frequency` steps, and `to` from `end` on.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when the schedule is wrong, or its function gives no sparsity
 */
export function sparsityAt(schedule: Schedule, at: number): number {
  const { curve, from, to, begin, end, frequency } = parseOptions(schema, schedule, 'schedule');
  if (at < begin) return from;
  if (at >= end) return to;
  const due = at - ((at - begin) % frequency);
  const progress = (due - begin) / (end - begin);
  if (typeof curve === 'function')
    return parseOptions(shareBelowOne, curve(progress), 'schedule.curve(progress)');
  if (curve === 'exponential') return 1 - (1 - from) * ((1 - to) / (1 - from)) ** progress;
  return from + (to - from) * curves[curve](progress);
}

/** Whether masks are chosen anew at a step; in between, and after `end`, they stay as they are. */
export function isPruningStep(schedule: Schedule, at: number): boolean {
  const { begin, end, frequency } = parseOptions(schema, schedule, 'schedule');
  return at === end || (at >= begin && at < end && (at - begin) % frequency === 0);
}

/** The sparsities of a pruning in so many stages, the last one `to`: stage i of n has that of progress i / n. */
export function stageSparsities(
  { curve, from, to }: Pick<Schedule, 'curve' | 'from' | 'to'>,
  stages: number,
): number[] {
  return Array.from({ length: stages }, (_, i) => sparsityAt({ curve, from, to, end: stages }, i + 1));
}
