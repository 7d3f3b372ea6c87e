import * as v from 'valibot';
import { EspalierError } from '../../errors.js';
import { idleOptions, optionsObject, parseOptions, positiveNumber, refuseIdle } from '../../options.js';

/** What a target can be of. Latencies are those of this machine, measured. */
export const quantities = ['p50Milliseconds', 'p99Milliseconds', 'flops', 'parameters', 'bytes'] as const;
export type Quantity = (typeof quantities)[number];

/** What a pruned network has to meet: exactly one of the quantities, at most the number given. */
export interface PruneTarget {
  /** Median and 99th percentile of the time of a run, on this machine. */
  readonly p50Milliseconds?: number | undefined;
  readonly p99Milliseconds?: number | undefined;
  /** Two for each multiply-add with a weight that is not zero, and of products of activations. */
  readonly flops?: number | undefined;
  /** Elements of float constants that are not zero. */
  readonly parameters?: number | undefined;
  /** Of the compiled model. */
  readonly bytes?: number | undefined;
  /** Threads of the session that is timed. Default: the CPUs of this process. */
  readonly threads?: number | undefined;
  /** How long each timed network runs. Default: 3. */
  readonly seconds?: number | undefined;
}

const schema = optionsObject({
  ...(Object.fromEntries(quantities.map((name) => [name, v.optional(positiveNumber)])) as Record<
    Quantity,
    v.OptionalSchema<typeof positiveNumber, undefined>
  >),
  threads: v.optional(v.pipe(v.number('a number'), v.integer('an integer'), v.minValue(1, 'at least 1'))),
  seconds: v.optional(positiveNumber),
});

/** A target that was checked. */
export interface ResolvedTarget {
  readonly quantity: Quantity;
  readonly limit: number;
  readonly threads: number | undefined;
  readonly seconds: number;
}

/**
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for unknown keys, for none or several quantities, and for what only
 *   latencies are measured with
 */
export function parseTarget(target: unknown, where = 'target'): ResolvedTarget {
  const { threads, seconds, ...limits } = parseOptions(schema, target, where);
  const named = quantities.filter((name) => limits[name] !== undefined);
  const [quantity, ...others] = named;
  if (quantity !== undefined && others.length === 0) {
    const given = { threads, seconds };
    const latency = [`a latency in ${where}`, () => isLatency(quantity)] as const;
    refuseIdle(idleOptions(given, given, { threads: latency, seconds: latency }));
    return { quantity, limit: limits[quantity] as number, threads, seconds: seconds ?? 3 };
  }
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    `Expected ${where} to have exactly one of ${quantities.join(', ')}, got ${named.join(', ') || 'none'}`,
  );
}

export function isLatency(quantity: Quantity): boolean {
  return quantity === 'p50Milliseconds' || quantity === 'p99Milliseconds';
}

/** `12.3 ms` of a latency, else the number alone, with the name of the quantity. */
export function describeAmount(quantity: Quantity, amount: number): string {
  if (isLatency(quantity)) return `a ${quantity.slice(0, 3)} of ${amount.toPrecision(4)} ms`;
  return `${Math.round(amount)} ${quantity}`;
}
