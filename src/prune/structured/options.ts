import * as v from 'valibot';
import { nameMatchers, optionsObject, parseOptions, recordOf, shareBelowOne } from '../../options.js';
import { type Importance, magnitude } from '../importance.js';
import type { Shapes } from './analyze.js';
import type { UnitKind } from './groups.js';
import type { GroupImportance } from './importance.js';
import type { ScoredSide } from './scores.js';

/** What {@link planStructuredPruning} takes. */
export interface StructuredPruneOptions {
  /** Share of the `measure` to remove, in [0, 1). */
  readonly sparsity: number;
  /** Kinds of units to remove. Default: channel, neuron and head. */
  readonly kinds?: readonly UnitKind[] | undefined;
  /**
   * What the share is of: the units of each group (`layer`) or of all (`global`), or the parameters or multiply-adds of
   * the whole network. Default: units.
   */
  readonly measure?: 'units' | 'parameters' | 'multiplyAdds' | undefined;
  /** `layer` removes the same share of every group; `global` ranks the units of all groups together. Default: layer. */
  readonly scope?: 'layer' | 'global' | undefined;
  /** Scores of weights, which are added up for every unit. Default: {@link magnitude}. */
  readonly importance?: Importance | undefined;
  /** Scores of whole units, in place of those of their weights. */
  readonly groupImportance?: GroupImportance | undefined;
  /** Which weights judge a unit: those that give it, those that take it, or both. Default: both. */
  readonly side?: ScoredSide | undefined;
  /** What is kept is rounded down to a multiple of so many channels, but not to none. Default: 1. */
  readonly roundTo?: number | undefined;
  /** Prune only groups that one of these matches: the name of the group or of a layer that gives it, or a RegExp. */
  readonly include?: readonly (string | RegExp)[] | undefined;
  readonly exclude?: readonly (string | RegExp)[] | undefined;
  /** Dims of inputs that the model leaves open. */
  readonly shapes?: Shapes | undefined;
}

/** {@link StructuredPruneOptions} with every default filled in. */
export type ResolvedStructuredOptions = {
  readonly [K in Exclude<keyof StructuredPruneOptions, 'include' | 'groupImportance'>]-?: NonNullable<
    StructuredPruneOptions[K]
  >;
} & Pick<StructuredPruneOptions, 'include' | 'groupImportance'>;

export const unitKinds = ['channel', 'neuron', 'head', 'embedding'] as const satisfies readonly UnitKind[];
const whole = v.pipe(
  v.number('a whole number >= 1'),
  v.check((value) => Number.isSafeInteger(value) && value >= 1, 'a whole number >= 1'),
);

export const shapesSchema = recordOf(
  v.array(v.number('a number'), 'an array of numbers'),
  'an object of dims by input',
);

/** The options of planning, for schemas of functions that plan among other things. */
export const structuredEntries = {
  sparsity: shareBelowOne,
  kinds: v.optional(
    v.array(v.picklist(unitKinds, `one of ${unitKinds.join(', ')}`), 'an array of kinds'),
    () => [...unitKinds.slice(0, 3)],
  ),
  measure: v.optional(
    v.picklist(['units', 'parameters', 'multiplyAdds'], 'one of units, parameters, multiplyAdds'),
    'units',
  ),
  scope: v.optional(v.picklist(['layer', 'global'], 'one of layer, global'), 'layer'),
  importance: v.optional(
    v.custom<Importance>((value) => typeof value === 'function', 'a function'),
    () => magnitude,
  ),
  groupImportance: v.optional(
    v.custom<GroupImportance>((value) => typeof value === 'function', 'a function'),
  ),
  side: v.optional(v.picklist(['both', 'output', 'input'], 'one of both, output, input'), 'both'),
  roundTo: v.optional(whole, 1),
  include: v.optional(nameMatchers),
  exclude: v.optional(nameMatchers, []),
  shapes: v.optional(shapesSchema, {}),
};

const schema = optionsObject(structuredEntries);

/** @throws EspalierError ERR_ESPALIER_ARGUMENT when an option is unknown, missing or out of range. */
export function parseStructuredOptions(options: unknown): ResolvedStructuredOptions {
  return parseOptions(schema, options, 'planStructuredPruning options');
}
