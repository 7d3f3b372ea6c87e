import * as v from 'valibot';
import { optionsObject, parseOptions } from '../options.js';
import { type Pattern, patterns } from '../sparse/patterns.js';
import { type Importance, magnitude } from './importance.js';

/** What {@link planPruning} takes. A layer is named by its node's name or by its operator. */
export interface PruneOptions {
  /** Share of the units (weights, or blocks of the pattern) to remove, in [0, 1). */
  readonly sparsity: number;
  /** Default: unstructured. */
  readonly pattern?: Pattern | undefined;
  /** `layer` removes the same share of every layer; `global` ranks the units of all layers together. Default: layer. */
  readonly scope?: 'layer' | 'global' | undefined;
  /** Default: {@link magnitude}. */
  readonly importance?: Importance | undefined;
  /** Prune only layers that one of these matches: a name, an operator, or a RegExp on the name. */
  readonly include?: readonly (string | RegExp)[] | undefined;
  /** Leave out layers that one of these matches. */
  readonly exclude?: readonly (string | RegExp)[] | undefined;
  /** Prune only layers of these operators. */
  readonly operators?: readonly string[] | undefined;
  /** Exceptions by name or operator (the name wins). A layer with its own sparsity leaves the global ranking. */
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

const sparsity = v.pipe(
  v.number('a number in [0, 1)'),
  v.check((value) => value >= 0 && value < 1, 'a number in [0, 1)'),
);
const pattern = v.picklist(patterns, `one of ${patterns.join(', ')}`);
const matchers = v.array(
  v.union([v.string(), v.instance(RegExp)], 'a string or RegExp'),
  'an array of strings or RegExps',
);

const schema = optionsObject({
  sparsity,
  pattern: v.optional(pattern, 'unstructured'),
  scope: v.optional(v.picklist(['layer', 'global'], 'one of layer, global'), 'layer'),
  importance: v.optional(
    v.custom<Importance>((value) => typeof value === 'function', 'a function'),
    () => magnitude,
  ),
  include: v.optional(matchers),
  exclude: v.optional(matchers, []),
  operators: v.optional(v.array(v.string('a string'), 'an array of strings')),
  layers: v.optional(
    v.record(
      v.string(),
      optionsObject({ sparsity: v.optional(sparsity), pattern: v.optional(pattern) }),
      'an object of layer options by name or operator',
    ),
    {},
  ),
});

/** @throws EspalierError ERR_ESPALIER_ARGUMENT when an option is unknown, missing or out of range. */
export function parsePruneOptions(options: unknown): ResolvedPruneOptions {
  return parseOptions(schema, options, 'planPruning options');
}
