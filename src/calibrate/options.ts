import { availableParallelism } from 'node:os';
import * as v from 'valibot';
import { EspalierError } from '../errors.js';
import {
  optionsObject,
  parseOptions,
  positiveNumber,
  progressCallback,
  shareBelowOne,
  wholeNumber,
} from '../options.js';
import type { GradientBatches } from '../prune/importance_gradient.js';
import { type ImportanceName, importanceNames, methodTraits } from '../prune/methods.js';
import { type PruneOptions, pruneEntries } from '../prune/options.js';
import { type SensitivityReport, sensitivitySchema } from './sensitivity/report.js';
import type { PruneState } from './state.js';

/** Methods that choose layer by layer, on the way. */
const choosers = ['admm', 'sparsegpt'] as const;
type Chooser = (typeof choosers)[number];

export const pruneMethods = [...choosers, ...importanceNames] as const;
export type PruneMethod = Chooser | ImportanceName;

export const allocations = ['uniform', 'global', 'er', 'erk', 'lamp', 'owl', 'sensitivity'] as const;
export type Allocation = (typeof allocations)[number];

/** What {@link pruneCalibrated} takes: what planning takes, and how the data are used. */
export interface CalibratedOptions extends Omit<PruneOptions, 'importance'> {
  /** How weights are chosen. Default: admm. A method brings the scope of its paper, unless `scope` is given. */
  readonly method?: PruneMethod | undefined;
  /**
   * Whether kept weights and biases are fitted to the dense network's outputs, layer after layer. Default: true, unless
   * `compensate` is bias.
   */
  readonly refit?: boolean | undefined;
  /**
   * What makes up for what is removed without a change of what is kept: `bias`, for the mean of each output (instead of
   * the refit, which fits biases too), or `low-rank:R`, a product of rank R beside each MatMul and Gemm, R cut to a quarter
   * of the layer's sides.
   */
  readonly compensate?: Compensation | undefined;
  /** Whether batch normalisations are brought back to what they gave in the dense network. Default: false. */
  readonly recalibrateBatchNorm?: boolean | undefined;
  /** How the sparsity is spread over layers. Default: uniform. */
  readonly allocation?: Allocation | undefined;
  /** What each layer minds, for the allocation sensitivity. */
  readonly sensitivity?: SensitivityReport | undefined;
  /** Bounds for every layer where the allocation is not uniform. Default: 0 and 0.99. */
  readonly minSparsity?: number | undefined;
  readonly maxSparsity?: number | undefined;
  /** Rows (tokens, pixels) of each layer that are taken of all samples together, about. Default: 32768. */
  readonly rows?: number | undefined;
  /** SparseGPT's damping, of the mean of the Hessian's diagonal. Default: 0.01, as in its paper. */
  readonly damping?: number | undefined;
  /** How strongly the refit holds on to the dense weights, in the same unit. Default: 0.01. */
  readonly ridge?: number | undefined;
  /**
   * Activations that are kept between layers, in bytes; beyond it they are computed again. Default: a quarter of the size
   * of the model, 64 MiB for models below that. The result does not depend on it.
   */
  readonly activationBytes?: number | undefined;
  /** Gradients by weight name, for the methods that need them. */
  readonly gradients?: GradientBatches | undefined;
  /** Of method random. Default: 0. */
  readonly seed?: number | undefined;
  /** Default: the CPUs of this process. The result does not depend on it. */
  readonly threads?: number | undefined;
  /** Where finished layers are kept, for a run that is interrupted to go on. */
  readonly state?: PruneState | undefined;
  /** Called as layers are done, with the share of the work in [0, 1]. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

export type Compensation = 'bias' | `low-rank:${number}`;

/** Gradients by weight name, of one batch or several. */
export const gradientsSchema = v.custom<GradientBatches>(
  (value) => (Array.isArray(value) ? value : [value]).every((batch) => batch instanceof Map),
  'a Map of tensors by weight name, or a list of them',
);

/** Threads that compute; the CPUs of this process. */
export const threadsSchema = v.optional(v.pipe(wholeNumber(1), v.maxValue(256, 'at most 256')), () =>
  availableParallelism(),
);

const { importance: _importance, scope, ...planning } = pruneEntries;

const schema = optionsObject({
  ...planning,
  scope: v.optional(scope.wrapped),
  method: v.optional(v.picklist(pruneMethods, `one of ${pruneMethods.join(', ')}`), 'admm'),
  refit: v.optional(v.boolean('a boolean')),
  compensate: v.optional(
    v.custom<Compensation>(
      (value) => value === 'bias' || (typeof value === 'string' && /^low-rank:[1-9]\d{0,5}$/.test(value)),
      'bias or low-rank:R with a rank R',
    ),
  ),
  recalibrateBatchNorm: v.optional(v.boolean('a boolean'), false),
  allocation: v.optional(v.picklist(allocations, `one of ${allocations.join(', ')}`), 'uniform'),
  sensitivity: v.optional(sensitivitySchema),
  minSparsity: v.optional(shareBelowOne, 0),
  maxSparsity: v.optional(shareBelowOne, 0.99),
  rows: v.optional(wholeNumber(1), 32768),
  damping: v.optional(positiveNumber, 0.01),
  ridge: v.optional(positiveNumber, 0.01),
  activationBytes: v.optional(wholeNumber(0, Number.MAX_SAFE_INTEGER)),
  gradients: v.optional(gradientsSchema),
  seed: v.optional(wholeNumber(0), 0),
  threads: threadsSchema,
  state: v.optional(
    v.custom<PruneState>((value) => typeof value === 'object' && value !== null, 'a PruneState'),
  ),
  onProgress: v.optional(progressCallback),
});

export type ResolvedCalibratedOptions = ReturnType<typeof parseCalibratedOptions>;

/** @throws EspalierError ERR_ESPALIER_ARGUMENT when an option is unknown, missing, out of range, or contradicts another. */
export function parseCalibratedOptions(options: unknown, where = 'pruneCalibrated options') {
  const parsed = parseOptions(schema, options, where);
  const { method, allocation, compensate } = parsed;
  const chooser = choosers.find((name) => name === method);
  const traits = chooser === undefined ? methodTraits(method as ImportanceName) : undefined;
  const resolvedScope = parsed.scope ?? (traits?.scope === 'row' ? 'row' : 'layer');
  const refit = parsed.refit ?? compensate !== 'bias';
  const refuse = (expected: string, got: string) =>
    new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${expected}, got ${got}`);
  if (chooser !== undefined && resolvedScope !== 'layer')
    throw refuse(`${where}.scope to be layer for ${method}, which chooses layer by layer`, resolvedScope);
  if (allocation !== 'uniform' && resolvedScope === 'global')
    throw refuse(`either ${where}.allocation or a global scope`, `${allocation} and global`);
  if (refit && compensate === 'bias')
    throw refuse(`either ${where}.refit, which fits biases too, or compensate bias`, 'both');
  if (allocation === 'sensitivity' && parsed.sensitivity === undefined)
    throw refuse(
      `${where}.sensitivity with the allocation sensitivity: what measureSensitivity found`,
      'none',
    );
  const rank = compensate?.startsWith('low-rank:') ? Number(compensate.slice('low-rank:'.length)) : 0;
  const solves = chooser !== undefined || refit || compensate !== undefined;
  const needsData =
    solves || traits?.needs === 'statistics' || allocation === 'owl' || parsed.recalibrateBatchNorm;
  return { ...parsed, scope: resolvedScope, chooser, refit, rank, solves, needsData };
}
