import { availableParallelism } from 'node:os';
import * as v from 'valibot';
import { EspalierError } from '../errors.js';
import { optionsObject, parseOptions } from '../options.js';
import type { Gradients } from '../prune/importance_gradient.js';
import { type ImportanceName, importanceNames, methodTraits } from '../prune/methods.js';
import { type PruneOptions, pruneEntries } from '../prune/options.js';
import type { PruneState } from './state.js';

export const pruneMethods = ['sparsegpt', ...importanceNames] as const;
export type PruneMethod = 'sparsegpt' | ImportanceName;

export const allocations = ['uniform', 'global', 'er', 'erk', 'lamp', 'owl'] as const;
export type Allocation = (typeof allocations)[number];

/** What {@link pruneCalibrated} takes: what planning takes, and how the data are used. */
export interface CalibratedOptions extends Omit<PruneOptions, 'importance'> {
  /** How weights are chosen. Default: sparsegpt. A method brings the scope of its paper, unless `scope` is given. */
  readonly method?: PruneMethod | undefined;
  /** Whether kept weights and biases are fitted to the dense network's outputs, layer after layer. Default: true. */
  readonly refit?: boolean | undefined;
  /** How the sparsity is spread over layers. Default: uniform. */
  readonly allocation?: Allocation | undefined;
  /** Bounds for every layer where the allocation is not uniform. Default: 0 and 0.99. */
  readonly minSparsity?: number | undefined;
  readonly maxSparsity?: number | undefined;
  /** Rows (tokens, pixels) of each layer that are taken of all samples together, about. Default: 32768. */
  readonly rows?: number | undefined;
  /** SparseGPT's damping, of the mean of the Hessian's diagonal. Default: 0.01, as in its paper. */
  readonly damping?: number | undefined;
  /** How strongly the refit holds on to the dense weights, in the same unit. Default: 0.01. */
  readonly ridge?: number | undefined;
  /** Gradients by weight name, for the methods that need them. */
  readonly gradients?: Gradients | undefined;
  /** Of method random. Default: 0. */
  readonly seed?: number | undefined;
  /** Default: the CPUs of this process. The result does not depend on it. */
  readonly threads?: number | undefined;
  /** Where finished layers are kept, for a run that is interrupted to go on. */
  readonly state?: PruneState | undefined;
  /** Called as layers are done, with the share of the work in [0, 1]. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

const positive = v.pipe(
  v.number('a number above 0'),
  v.check((value) => value > 0 && Number.isFinite(value), 'a number above 0'),
);
const share = v.pipe(
  v.number('a number in [0, 1)'),
  v.check((value) => value >= 0 && value < 1, 'a number in [0, 1)'),
);
const whole = (least: number) =>
  v.pipe(
    v.number('a number'),
    v.integer('an integer'),
    v.minValue(least, `at least ${least}`),
    v.maxValue(2 ** 31, 'at most 2^31'),
  );

const { importance: _importance, scope, ...planning } = pruneEntries;

const schema = optionsObject({
  ...planning,
  scope: v.optional(scope.wrapped),
  method: v.optional(v.picklist(pruneMethods, `one of ${pruneMethods.join(', ')}`), 'sparsegpt'),
  refit: v.optional(v.boolean('a boolean'), true),
  allocation: v.optional(v.picklist(allocations, `one of ${allocations.join(', ')}`), 'uniform'),
  minSparsity: v.optional(share, 0),
  maxSparsity: v.optional(share, 0.99),
  rows: v.optional(whole(1), 32768),
  damping: v.optional(positive, 0.01),
  ridge: v.optional(positive, 0.01),
  gradients: v.optional(
    v.custom<Gradients>((value) => value instanceof Map, 'a Map of tensors by weight name'),
  ),
  seed: v.optional(whole(0), 0),
  threads: v.optional(v.pipe(whole(1), v.maxValue(256, 'at most 256')), () => availableParallelism()),
  state: v.optional(
    v.custom<PruneState>((value) => typeof value === 'object' && value !== null, 'a PruneState'),
  ),
  onProgress: v.optional(
    v.custom<(share: number) => void>((value) => typeof value === 'function', 'a function'),
  ),
});

export type ResolvedCalibratedOptions = ReturnType<typeof parseCalibratedOptions>;

/** @throws EspalierError ERR_ESPALIER_ARGUMENT when an option is unknown, missing, out of range, or contradicts another. */
export function parseCalibratedOptions(options: unknown, where = 'pruneCalibrated options') {
  const parsed = parseOptions(schema, options, where);
  const { method, allocation } = parsed;
  const traits = method === 'sparsegpt' ? undefined : methodTraits(method);
  const resolvedScope = parsed.scope ?? (traits?.scope === 'row' ? 'row' : 'layer');
  if (method === 'sparsegpt' && resolvedScope !== 'layer') {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected ${where}.scope to be layer for sparsegpt, which chooses layer by layer, got ${resolvedScope}`,
    );
  }
  if (allocation !== 'uniform' && resolvedScope === 'global') {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected either ${where}.allocation or a global scope, got ${allocation} and global`,
    );
  }
  const needsData =
    method === 'sparsegpt' || parsed.refit || traits?.needs === 'statistics' || allocation === 'owl';
  return { ...parsed, scope: resolvedScope, needsData };
}
