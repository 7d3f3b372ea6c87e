import * as v from 'valibot';
import { EspalierError } from '../errors.js';
import { nameMatchers, optionsObject, parseOptions, recordOf, shareBelowOne } from '../options.js';
import { isPattern, keptOfEvery, type Pattern, parsePattern, patternForms } from '../sparse/patterns.js';
import { type Importance, magnitude } from './importance.js';

/** Units that are ranked together. */
export const pruneScopes = ['layer', 'row', 'global'] as const;
export type PruneScope = (typeof pruneScopes)[number];

/** What {@link planPruning} takes. A layer is named by its node's name or by its operator. */
export interface PruneOptions {
  /**
   * Share of the units (weights, or blocks of the pattern) to remove, in [0, 1). An N:M pattern says it itself,
   * 1 - N/M: then it may be left out, and another one is an error.
   */
  readonly sparsity?: number | undefined;
  /** `unstructured`, `16x1` (any RxC), `2:4` (any N:M). Default: unstructured. */
  readonly pattern?: Pattern | undefined;
  /**
   * `layer` removes the same share of every layer, `row` of every output (or row of blocks) within it, as Wanda does;
   * `global` ranks the units of all layers together. Default: layer.
   */
  readonly scope?: PruneScope | undefined;
  /** Default: {@link magnitude}. */
  readonly importance?: Importance | undefined;
  /** Prune only layers that one of these matches: a name, an operator, or a RegExp on the name. */
  readonly include?: readonly (string | RegExp)[] | undefined;
  /** Leave out layers that one of these matches. */
  readonly exclude?: readonly (string | RegExp)[] | undefined;
  /** Prune only layers of these operators. */
  readonly operators?: readonly string[] | undefined;
  /**
   * Exceptions by name, by `re:` and a regular expression on it, or by operator; the first of these that says something
   * wins. A layer with its own sparsity leaves the global ranking.
   */
  readonly layers?: Readonly<Record<string, LayerPruneOptions>> | undefined;
}

export interface LayerPruneOptions {
  readonly sparsity?: number | undefined;
  readonly pattern?: Pattern | undefined;
}

/** {@link PruneOptions} with every default filled in. */
export type ResolvedPruneOptions = {
  readonly [K in Exclude<keyof PruneOptions, 'include' | 'operators'>]-?: NonNullable<PruneOptions[K]>;
} & Pick<PruneOptions, 'include' | 'operators'>;

const pattern = v.custom<Pattern>(
  (text) => typeof text === 'string' && isPattern(text.replace(/^1x1$/, 'unstructured')),
  patternForms,
);

/** The options of planning, for schemas of functions that plan among other things. */
export const pruneEntries = {
  sparsity: v.optional(shareBelowOne),
  pattern: v.optional(pattern, 'unstructured'),
  scope: v.optional(v.picklist(pruneScopes, `one of ${pruneScopes.join(', ')}`), 'layer'),
  importance: v.optional(
    v.custom<Importance>((value) => typeof value === 'function', 'a function'),
    () => magnitude,
  ),
  include: v.optional(nameMatchers),
  exclude: v.optional(nameMatchers, []),
  operators: v.optional(v.array(v.string('a string'), 'an array of strings')),
  layers: v.optional(
    recordOf(
      optionsObject({ sparsity: v.optional(shareBelowOne), pattern: v.optional(pattern) }),
      'an object of layer options by name or operator',
    ),
    {},
  ),
};

const schema = optionsObject(pruneEntries);

/** @throws EspalierError ERR_ESPALIER_ARGUMENT when an option is unknown, missing or out of range. */
export function parsePruneOptions(options: unknown): ResolvedPruneOptions {
  const where = 'planPruning options';
  const { sparsity: given, pattern: wanted, ...rest } = parseOptions(schema, options, where);
  const chosen = parsePattern(wanted);
  return { ...rest, pattern: chosen, sparsity: sparsityOf(chosen, given, where) };
}

/**
 * The sparsity of a pattern: what an N:M pattern says, else the one given. `where` names its place in messages.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when there is none, or another than the pattern's.
 */
export function sparsityOf(chosen: Pattern, given: number | undefined, where: string): number {
  const group = keptOfEvery(chosen);
  if (group === undefined) {
    if (given !== undefined) return given;
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${where}.sparsity to be given, got undefined`);
  }
  const implied = 1 - group.kept / group.of;
  if (given === undefined || Math.abs(given - implied) < 1e-9) return implied;
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    `Expected ${where}.sparsity to be ${implied}, as the pattern ${chosen} says, or left out, got ${given}`,
  );
}
