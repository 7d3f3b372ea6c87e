import { EspalierError } from '../../errors.js';
import type { Shapes } from '../../prune/structured/analyze.js';
import { keptOfEvery } from '../../sparse/patterns.js';
import {
  type Allocation,
  type CalibratedOptions,
  type PruneMethod,
  parseCalibratedOptions,
} from '../options.js';
import type { Meter } from './meter.js';
import { isLatency, type PruneTarget, parseTarget, type ResolvedTarget } from './options.js';

/** What {@link pruneToTarget} takes: what {@link pruneCalibrated} does but for the sparsity, which it finds. */
export interface TargetOptions extends Omit<CalibratedOptions, 'sparsity' | 'allocation'> {
  readonly target: PruneTarget;
  /**
   * As for {@link pruneCalibrated}, or `latency`, for latencies: layers lose where that saves time at little error. The
   * error is that of `sensitivity`, else the share of a layer's squared magnitude. Default: uniform.
   */
  readonly allocation?: Allocation | 'latency' | undefined;
  /** Dims of inputs that the model leaves open; else those of the first sample. */
  readonly shapes?: Shapes | undefined;
  /** What measures. Default: sessions on this machine. */
  readonly meter?: Meter | undefined;
}

/** Target options that were checked. */
export interface Pruning {
  /** What the method prunes with, but for the sparsity and how it is spread. */
  readonly options: Omit<CalibratedOptions, 'sparsity' | 'allocation'>;
  readonly allocation: Allocation | 'latency';
  readonly maxSparsity: number;
  /** A method that makes masks of the same sparsities at little cost. */
  readonly sketchMethod: PruneMethod;
  /** Whether the method does more than choose masks: then its network is to be measured too. */
  readonly fits: boolean;
}

/** @throws EspalierError ERR_ESPALIER_ARGUMENT when an option is unknown, missing, out of range, or contradicts another. */
export function checkTargetOptions(
  { target, shapes: _shapes, meter: _meter, ...rest }: TargetOptions,
  where: string,
): void {
  parseTargetOptions(rest, parseTarget(target, `${where}.target`), where);
}

/** What {@link checkTargetOptions} checks, with defaults filled in. */
export function parseTargetOptions(
  options: Omit<TargetOptions, 'target' | 'shapes' | 'meter'>,
  { quantity }: ResolvedTarget,
  where = 'pruneToTarget options',
): Pruning {
  if ('sparsity' in options && options.sparsity !== undefined)
    throw wrong(`${where} with a target or a sparsity, got both`);
  const { allocation = 'uniform', maxSparsity = 0.95, ...rest } = options;
  if (allocation === 'latency' && !isLatency(quantity))
    throw wrong(`${where}.allocation latency with a target of a latency only, got ${quantity}`);
  const plain = allocation === 'latency' ? 'uniform' : allocation;
  const checked = parseCalibratedOptions({ ...rest, allocation: plain, maxSparsity, sparsity: 0 }, where);
  const { pattern, method, chooser, solves, recalibrateBatchNorm } = checked;
  if (keptOfEvery(pattern) !== undefined)
    throw wrong(`${where}.pattern to leave the sparsity open, got ${pattern}`);
  const sketchMethod = chooser === undefined ? method : 'magnitude';
  const fits = solves || recalibrateBatchNorm;
  return { options: { ...rest, maxSparsity }, allocation, maxSparsity, sketchMethod, fits };
}

function wrong(expected: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${expected}`);
}
