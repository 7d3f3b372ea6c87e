import { EspalierError } from '../errors.js';

/** How long runs took, in milliseconds. */
export interface Latency {
  readonly runs: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly mean: number;
  /** 1000 / mean. */
  readonly runsPerSecond: number;
}

/**
 * Summarises samples in milliseconds, in any order. Percentiles are nearest-rank: each is a sample that was measured.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when there is no sample, or one is not a number >= 0.
 */
export function summarize(samples: ArrayLike<number>): Latency {
  const sorted = Float64Array.from(samples).sort();
  const [smallest] = sorted;
  const max = sorted.at(-1);
  if (smallest === undefined || max === undefined || !(smallest >= 0 && max < Number.POSITIVE_INFINITY)) {
    const got =
      sorted.length === 0 ? 'none' : `one of ${smallest !== undefined && smallest < 0 ? smallest : max}`;
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected samples in milliseconds, got ${got}`);
  }
  const mean = sorted.reduce((sum, sample) => sum + sample, 0) / sorted.length;
  const percentile = (p: number) => sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] as number;
  return {
    runs: sorted.length,
    p50: percentile(50),
    p99: percentile(99),
    max,
    mean,
    runsPerSecond: mean === 0 ? 0 : 1000 / mean,
  };
}
