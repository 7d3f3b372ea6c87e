import * as v from 'valibot';
import { optionsObject, parseOptions, progressCallback } from '../options.js';
import type { Tensor } from '../tensor.js';
import { type Latency, summarize } from './latency.js';

export interface BenchOptions {
  /** Stop after this many timed runs. Default: 10,000. */
  readonly runs?: number | undefined;
  /** Stop after this many seconds of timed runs, but not before the first. Default: 3, or no limit when runs is given. */
  readonly seconds?: number | undefined;
  /** Runs before the first timed one. Default: 10. */
  readonly warmup?: number | undefined;
  /** Called between timed runs with the share that is done, in [0, 1]. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** What {@link benchSession} needs of a session. */
export interface SynchronousSession {
  runSync(feeds: Readonly<Record<string, Tensor>>): unknown;
}

const schema = optionsObject({
  runs: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1, 'a whole number >= 1'))),
  seconds: v.optional(v.pipe(v.number(), v.gtValue(0, 'a number > 0'))),
  warmup: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0, 'a whole number >= 0')), 10),
  onProgress: v.optional(progressCallback),
});

/**
 * Times `session.runSync(feeds)`, one run at a time. Blocks until it is done.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when an option is unknown or out of range, or what runSync throws.
 */
export function benchSession(
  session: SynchronousSession,
  feeds: Readonly<Record<string, Tensor>>,
  options: BenchOptions = {},
): Latency {
  const { runs, seconds, warmup, onProgress } = parseOptions(schema, options, 'benchSession options');
  const maxRuns = runs ?? 10_000;
  const maxMilliseconds = (seconds ?? (runs === undefined ? 3 : Number.POSITIVE_INFINITY)) * 1000;
  for (let run = 0; run < warmup; run++) session.runSync(feeds);
  const samples: number[] = [];
  let elapsed = 0;
  while (samples.length < maxRuns && (samples.length === 0 || elapsed < maxMilliseconds)) {
    const start = performance.now();
    session.runSync(feeds);
    const sample = performance.now() - start;
    samples.push(sample);
    elapsed += sample;
    onProgress?.(Math.min(1, Math.max(samples.length / maxRuns, elapsed / maxMilliseconds)));
  }
  return summarize(samples);
}
