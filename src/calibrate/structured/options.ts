import * as v from 'valibot';
import { EspalierError } from '../../errors.js';
import {
  idleOptions,
  type Needs,
  optionsObject,
  parseOptions,
  progressCallback,
  wholeNumber,
} from '../../options.js';
import type { GradientBatches } from '../../prune/importance_gradient.js';
import { type ImportanceName, importanceNames, methodTraits } from '../../prune/methods.js';
import type { UnitKind } from '../../prune/structured/groups.js';
import { type StructuredPruneOptions, structuredEntries, unitKinds } from '../../prune/structured/options.js';
import { type BlockPruneOptions, blockScoresSchema } from '../../prune/structured/plan_blocks.js';
import { gradientsSchema, threadsSchema } from '../options.js';
import type { Meter } from '../target/meter.js';
import { type PruneTarget, parseTarget } from '../target/options.js';

/** What a structured pattern removes: kinds of units, or whole residual blocks. */
export type Structure = readonly UnitKind[] | 'layer';

export const structureForms = 'channel, neuron, head, embedding (or several: channel,neuron), layer';

/** What {@link pruneStructure} takes: what planning takes, and how units are scored. */
export interface StructureOptions
  extends Omit<StructuredPruneOptions, 'sparsity' | 'kinds' | 'importance' | 'groupImportance' | 'side'> {
  /** A kind of units, several with commas between or in a list, or `layer` for residual blocks. */
  readonly pattern: string | readonly UnitKind[];
  /** Share to remove, in [0, 1); or a target. */
  readonly sparsity?: number | undefined;
  readonly target?: PruneTarget | undefined;
  /** With a target: what is removed at most. Default: 0.9. */
  readonly maxSparsity?: number | undefined;
  /** How units are scored. Default: magnitude. Of residual blocks: their influence on data. */
  readonly method?: ImportanceName | undefined;
  /** Scores of residual blocks by name, in place of their influence on data. */
  readonly scores?: BlockPruneOptions['scores'] | undefined;
  /** Whether what removed channels give on average goes into the biases behind them: see {@link pushConstants}. */
  readonly pushConstants?: boolean | undefined;
  /** Rows (tokens, pixels) of each layer that statistics take of all samples together. Default: 32768. */
  readonly rows?: number | undefined;
  readonly gradients?: GradientBatches | undefined;
  /** Of method random. Default: 0. */
  readonly seed?: number | undefined;
  /** Default: the CPUs of this process. */
  readonly threads?: number | undefined;
  /** What measures a target. Default: sessions on this machine. */
  readonly meter?: Meter | undefined;
  /** Called as scores are found, with the share that is done. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** The structure of this name, or list of names; undefined when it is another pattern. */
export function structureOf(pattern: unknown): Structure | undefined {
  if (pattern === 'layer') return 'layer';
  const names: unknown[] = typeof pattern === 'string' ? pattern.split(',') : [pattern].flat();
  const kinds = names.map((name) => unitKinds.find((kind) => kind === String(name).trim()));
  return kinds.length > 0 && kinds.every((kind) => kind !== undefined) ? kinds : undefined;
}

const { sparsity, measure, scope, roundTo, include, exclude, shapes } = structuredEntries;
const schema = optionsObject({
  ...{ measure, scope, roundTo, include, exclude, shapes },
  pattern: v.custom<string | readonly UnitKind[]>(
    (value) => structureOf(value) !== undefined,
    structureForms,
  ),
  sparsity: v.optional(sparsity),
  target: v.optional(v.unknown()),
  maxSparsity: v.optional(sparsity),
  method: v.optional(v.picklist(importanceNames, `one of ${importanceNames.join(', ')}`), 'magnitude'),
  scores: v.optional(blockScoresSchema),
  pushConstants: v.optional(v.boolean('a boolean'), false),
  rows: v.optional(wholeNumber(1), 32768),
  gradients: v.optional(gradientsSchema),
  seed: v.optional(wholeNumber(0), 0),
  threads: threadsSchema,
  meter: v.optional(v.custom<Meter>((value) => typeof value === 'object')),
  onProgress: v.optional(progressCallback),
});

export type ResolvedStructureOptions = ReturnType<typeof parseStructureOptions>;

/** @throws EspalierError ERR_ESPALIER_ARGUMENT when an option is unknown, missing, out of range, or contradicts another. */
export function parseStructureOptions(options: unknown, where = 'pruneStructure options') {
  const parsed = parseOptions(schema, options, where);
  const { method, pushConstants, scores } = parsed;
  const structure = structureOf(parsed.pattern) as Structure; // the schema has checked it
  const isBlocks = structure === 'layer';
  const target = parsed.target === undefined ? undefined : parseTarget(parsed.target, `${where}.target`);
  if (parsed.sparsity === undefined && target === undefined)
    throw wrong(`Expected ${where} with a sparsity${isBlocks ? '' : ' or a target'}, got none`);
  if (parsed.sparsity !== undefined && target !== undefined)
    throw wrong(`Expected ${where} with a target or a sparsity, got both`);
  if (isBlocks && target !== undefined)
    throw wrong(`Expected ${where} with a sparsity for the pattern layer, got a target`);
  const needsData = isBlocks ? scores === undefined : methodTraits(method).needs === 'statistics';
  return { ...parsed, structure, target, needsData, usesData: needsData || pushConstants };
}

const units = 'a pattern of channels, neurons, heads or the embedding';
const isOfUnits = ({ structure }: ResolvedStructureOptions) => structure !== 'layer';

const needs: Needs<ResolvedStructureOptions> = {
  method: [units, isOfUnits],
  measure: [units, isOfUnits],
  scope: [units, isOfUnits],
  roundTo: [units, isOfUnits],
  include: [units, isOfUnits],
  exclude: [units, isOfUnits],
  pushConstants: [units, isOfUnits],
  scores: ['the pattern layer', ({ structure }) => structure === 'layer'],
  maxSparsity: ['a target', ({ target }) => target !== undefined],
  rows: ['a method that takes statistics', ({ structure, needsData }) => structure !== 'layer' && needsData],
  seed: ['the method random', ({ method }) => method === 'random'],
  gradients: ['a method of gradients', ({ method }) => methodTraits(method).needs === 'gradients'],
};

/** Options that were given and do nothing, each with what it is of no use without. */
export function idleStructureOptions(options: object, where?: string): Map<string, string> {
  return idleOptions(options, parseStructureOptions(options, where), needs);
}

function wrong(message: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_ARGUMENT', message);
}
