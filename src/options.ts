import { closest, distance } from 'fastest-levenshtein';
import * as v from 'valibot';
import { EspalierError } from './errors.js';

/**
 * A schema for an options object: a key that is not in `entries` is an error that names the nearest one that is.
 * The messages of other schemas inside it say what is expected: `v.number('a number')`.
 */
export function optionsObject<const Entries extends v.ObjectEntries>(entries: Entries) {
  const known = Object.keys(entries);
  return v.strictObject(entries, (issue) => {
    const key = issue.path?.at(-1)?.key;
    if (issue.expected !== 'never' || key === undefined)
      return issue.expected === 'Object' ? 'an object' : 'given';
    return `${unknownKey}${nearest(String(key), known)}`;
  });
}

/**
 * A schema for an object with keys of the caller's. Valibot's own leaves out keys that objects inherit, without a word;
 * this refuses them.
 */
export function recordOf<const Value extends v.GenericSchema>(value: Value, message: string) {
  const inherited = ['__proto__', 'constructor', 'prototype'];
  return v.pipe(
    v.custom<object>(
      (input) => typeof input === 'object' && input !== null && !Array.isArray(input),
      message,
    ),
    v.check(
      (input) => !inherited.some((key) => Object.hasOwn(input, key)),
      `${message} without the keys ${inherited.join(', ')}`,
    ),
    v.record(v.string(), value, message),
  );
}

/** A whole number from `least` to `most`. */
export const wholeNumber = (least: number, most = 2 ** 31) =>
  v.pipe(
    v.number('a number'),
    v.integer('an integer'),
    v.minValue(least, `at least ${least}`),
    v.maxValue(most, `at most ${most}`),
  );

export const positiveNumber = v.pipe(
  v.number('a number above 0'),
  v.check((value) => value > 0 && Number.isFinite(value), 'a number above 0'),
);

/** A share that is not all of it. */
export const shareBelowOne = v.pipe(
  v.number('a number in [0, 1)'),
  v.check((value) => value >= 0 && value < 1, 'a number in [0, 1)'),
);

/** Names, or what they match: see {@link parseMatcher}. */
export const nameMatchers = v.array(
  v.union([v.string(), v.instance(RegExp)], 'a string or RegExp'),
  'an array of strings or RegExps',
);

export const callback = <Callback>() =>
  v.custom<Callback>((value) => typeof value === 'function', 'a function');

/** Takes the share of work that is done, in [0, 1]. */
export const progressCallback = callback<(share: number) => void>();

/** What an option is of no use without, in words, and whether that is there. */
export type Needs<Options> = {
  readonly [Key in keyof Options]?: readonly [what: string, isThere: (options: Options) => boolean];
};

/** The options that were given and do nothing, each with what it is of no use without. */
export function idleOptions<Options extends object>(
  given: object,
  options: Options,
  needs: Needs<Options>,
): Map<string, string> {
  const entries = Object.entries(needs) as [string, readonly [string, (options: Options) => boolean]][];
  const idle = entries.filter(([key, [, isThere]]) => {
    return (given as Record<string, unknown>)[key] !== undefined && !isThere(options);
  });
  return new Map(idle.map(([key, [what]]) => [key, what]));
}

/**
 * Refuses options that do nothing, which somebody gave to some end.
 * @param nameOf the name of an option as the user knows it
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for the first of them, with what it needs
 */
export function refuseIdle(idle: ReadonlyMap<string, string>, nameOf = (key: string) => key): void {
  for (const [key, what] of idle)
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected ${what} with ${nameOf(key)}, which does nothing otherwise`,
    );
}

const unknownKey = 'unknown key: ';

/**
 * Checks `value` against `schema`. `where` names it in messages: `planPruning options`.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for the first value that does not fit.
 */
export function parseOptions<const Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  where: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  // A misspelt key is often a missing one as well: the spelling is the better thing to say.
  const issue = result.issues.find(({ message }) => message.startsWith(unknownKey)) ?? result.issues[0];
  throw new EspalierError('ERR_ESPALIER_ARGUMENT', describe(issue, where));
}

/** ` did you mean "sparsity"?` when a known name is close, else ` expected one of ...`. */
export function nearest(name: string, known: readonly string[]): string {
  if (known.length === 0) return 'expected none';
  const candidate = closest(name, known);
  const close = distance(name.toLowerCase(), candidate.toLowerCase()) <= Math.max(2, candidate.length / 3);
  return close ? `did you mean "${candidate}"?` : `expected one of ${known.join(', ')}`;
}

/**
 * Reads a matcher of names from text: a name, or `re:` and a regular expression.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT
 */
export function parseMatcher(text: string): string | RegExp {
  if (!text.startsWith('re:')) return text;
  try {
    return new RegExp(text.slice(3), 'u');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected a regular expression after re:, got ${reason}`,
      { cause },
    );
  }
}

function describe(issue: v.BaseIssue<unknown>, where: string): string {
  const keys = (issue.path ?? []).map((item) => String(item.key));
  if (issue.message.startsWith(unknownKey)) {
    const parent = [where, ...keys.slice(0, -1)].join('.');
    return `Unknown key "${keys.at(-1)}" in ${parent}; ${issue.message.slice(unknownKey.length)}`;
  }
  const expected = issue.message.startsWith('Invalid ') ? issue.expected : issue.message;
  return `Expected ${[where, ...keys].join('.')} to be ${expected}, got ${print(issue.input)}`;
}

function print(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
