import { type Command, InvalidArgumentError } from 'commander';
import { isLatency, type PruneTarget } from '../calibrate/target/options.js';
import type { MetTarget } from '../calibrate/target/prune.js';
import { bytes, milliseconds, shortCount } from '../text.js';
import { wholeNumber } from './arguments.js';

/** Options that say what a pruned network has to meet. */
export interface TargetArguments {
  readonly targetP50Ms?: number;
  readonly targetP99Ms?: number;
  readonly targetFlops?: number;
  readonly targetParameters?: number;
  readonly targetBytes?: number;
  readonly targetThreads?: number;
  readonly targetSeconds?: number;
}

export function addTargetOptions(command: Command): Command {
  return command
    .option(
      '--target-p99-ms <ms>',
      'no sparser than this 99th percentile of runs here needs, measured',
      amount,
    )
    .option('--target-p50-ms <ms>', 'the same for the median', amount)
    .option('--target-flops <n>', 'no sparser than so many operations need; with k, M or G behind it', amount)
    .option('--target-parameters <n>', 'the same for weights that are not zero', amount)
    .option('--target-bytes <n>', 'the same for the size of the compiled model', amount)
    .option('--target-threads <n>', 'threads of the runs that are timed (default: all CPUs)', wholeNumber(1))
    .option('--target-seconds <n>', 'how long each network is timed (default: 3)', amount);
}

/** What the command line wants met; undefined when it states a sparsity. */
export function targetOf(given: TargetArguments): PruneTarget | undefined {
  const limits = {
    p50Milliseconds: given.targetP50Ms,
    p99Milliseconds: given.targetP99Ms,
    flops: given.targetFlops,
    parameters: given.targetParameters,
    bytes: given.targetBytes,
  };
  if (Object.values(limits).every((limit) => limit === undefined)) return undefined;
  return { ...limits, threads: given.targetThreads, seconds: given.targetSeconds };
}

/** `p99 41.2 ms -> 12.3 ms (at most 15.0 ms)`. */
export function formatTarget({ quantity, limit, dense, reached }: MetTarget): string {
  const print = isLatency(quantity) ? milliseconds : quantity === 'bytes' ? bytes : shortCount;
  const name = isLatency(quantity) ? quantity.slice(0, 3) : quantity;
  return `${name} ${print(dense)} -> ${print(reached)} (at most ${print(limit)})`;
}

/** A number above 0, `1.5M` for 1,500,000. */
function amount(text: string): number {
  const [, digits = '', unit = ''] = /^([\d.]+(?:e\d+)?)\s*([kMG]?)$/.exec(text.trim()) ?? [];
  const value = Number(digits) * { '': 1, k: 1e3, M: 1e6, G: 1e9 }[unit as '' | 'k' | 'M' | 'G'];
  if (digits !== '' && value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a number above 0, such as 33 or 1.5M.');
}
