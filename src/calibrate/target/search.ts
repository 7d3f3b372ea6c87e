import { EspalierError } from '../../errors.js';
import { describeAmount, type Quantity } from './options.js';

/** A network pruned to a level, and what was measured on it. */
export interface Attempt<Result> {
  /** From 0, nothing pruned, to the largest. */
  readonly level: number;
  readonly amount: number;
  readonly result: Result;
}

export interface Search<Result> {
  readonly quantity: Quantity;
  readonly limit: number;
  readonly largestLevel: number;
  /** What a level should come to; need not be right, but has to fall as levels rise. */
  readonly predict: (level: number) => number | Promise<number>;
  /** Prunes to a level and measures. */
  readonly attempt: (level: number) => Promise<Attempt<Result>>;
  /** A network that was pruned before and may meet the target as it is: the dense one. */
  readonly known: readonly Attempt<Result>[];
}

/** Networks that are pruned and measured at most, before the largest level is. */
const mostAttempts = 6;
/** An amount this close below the limit is not worth another attempt. */
const closeEnough = 0.95;
/** Of the way between two measurements, how far the next one is from either at least. */
const leastAdvance = 0.1;
/** Levels are told apart by this share of the largest. */
const resolution = 1 / 512;

/**
 * The lowest level that meets a limit. Prediction says where to try; each measurement corrects it by what it was wrong
 * by, and bounds the levels from above or below, so a prediction that is wrong costs attempts and not the result.
 * @throws EspalierError ERR_ESPALIER_TARGET when the largest level does not meet it; the message says what was reached
 */
export async function lowestLevel<Result>(search: Search<Result>): Promise<Attempt<Result>> {
  const { quantity, limit, largestLevel, predict, attempt, known } = search;
  const step = largestLevel * resolution;
  const attempts = [...known];
  for (let tries = 0; ; tries++) {
    const found = lowest(attempts.filter(({ amount }) => amount <= limit));
    const failed = attempts.filter(({ amount }) => amount > limit).map(({ level }) => level);
    const low = Math.max(0, ...failed.filter((level) => level < (found?.level ?? Number.POSITIVE_INFINITY)));
    if (found !== undefined) {
      const isClose = found.amount >= closeEnough * limit || found.level - low <= 2 * step;
      if (found.level === 0 || isClose || tries >= mostAttempts) return found;
    } else if (low >= largestLevel || tries > mostAttempts) break;
    const high = found?.level ?? largestLevel;
    // At least some way from either end, however sure the prediction is.
    const [least, most] = [
      low + leastAdvance * (high - low),
      high - (found ? leastAdvance * (high - low) : 0),
    ];
    const reached = async (level: number) => (await corrected(level)) <= limit;
    const next = tries === mostAttempts ? largestLevel : await firstLevel(least, most, step, reached);
    attempts.push(await attempt(next));
  }
  const best = Math.min(...attempts.map(({ amount }) => amount));
  throw new EspalierError(
    'ERR_ESPALIER_TARGET',
    `Expected ${describeAmount(quantity, limit)} at most; the least that pruning reached is ${describeAmount(quantity, best)}`,
  );

  /** The prediction, times what measurements say beside it: on a line between or through the two nearest. */
  async function corrected(level: number): Promise<number> {
    const nearest = attempts.toSorted((a, b) => Math.abs(a.level - level) - Math.abs(b.level - level));
    const below = nearest.find((own) => own.level <= level);
    const above = nearest.find((own) => own.level > level);
    const pair = below !== undefined && above !== undefined ? [below, above] : nearest.slice(0, 2);
    const ratios: { readonly level: number; readonly ratio: number }[] = [];
    for (const { level: at, amount } of pair) // in turn: a run that goes on measures in the same order
      ratios.push({ level: at, ratio: amount / (await predict(at)) });
    const [a, b] = ratios;
    const own = await predict(level);
    if (a === undefined) return own;
    if (b === undefined || b.level === a.level) return own * a.ratio;
    const slope = (b.ratio - a.ratio) / (b.level - a.level);
    return own * Math.max(0, a.ratio + slope * (level - a.level));
  }
}

function lowest<Result>(attempts: readonly Attempt<Result>[]): Attempt<Result> | undefined {
  return attempts.toSorted((a, b) => a.level - b.level)[0];
}

/** The lowest level for which `reached` holds, to a step, or `high`. */
async function firstLevel(
  low: number,
  high: number,
  step: number,
  reached: (level: number) => Promise<boolean>,
): Promise<number> {
  if (await reached(low)) return low;
  let [from, to] = [low, high];
  while (to - from > step) {
    const middle = (from + to) / 2;
    if (await reached(middle)) to = middle;
    else from = middle;
  }
  return to;
}
