import { readFile, stat } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import {
  type Allocation,
  allocations,
  type CalibratedOptions,
  type Compensation,
  type MetTarget,
  type PruneMethod,
  PruneStateFile,
  parseRecipe,
  plainStages,
  pruneCalibrated,
  pruneMethods,
  pruneToTarget,
  type Stage,
  scheduledStages,
} from '../calibrate/index.js';
import { EspalierError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import type { PruningPlan } from '../prune/plan.js';
import { type ScheduleName, scheduleNames } from '../prune/schedule.js';
import type { Shapes } from '../prune/structured/index.js';
import { finiteNumber, wholeNumber } from './arguments.js';
import { readGradients, readSamples, readSensitivity } from './data.js';
import { fileError, type Io } from './io.js';
import { showProgress } from './progress.js';
import { addTargetOptions, type TargetArguments, targetOf } from './target.js';

/** Options of `prune` that go beyond magnitudes. */
export interface CalibratedArguments extends TargetArguments {
  readonly method?: PruneMethod;
  readonly calibration?: string;
  readonly refit?: boolean;
  readonly compensate?: Compensation;
  readonly recalibrateBn?: boolean;
  readonly allocation?: Allocation | 'latency';
  readonly sensitivity?: string;
  readonly stages?: number;
  readonly schedule?: ScheduleName;
  readonly minSparsity?: number;
  readonly maxSparsity?: number;
  readonly gradients?: readonly string[];
  readonly rows?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly recipe?: string;
}

export function addCalibrationOptions(command: Command): Command {
  return addTargetOptions(command)
    .addOption(
      new Option(
        '--method <name>',
        'how weights are chosen (default: admm with data, else magnitude)',
      ).choices(pruneMethods),
    )
    .option(
      '--calibration <file>',
      'npz or safetensors: one array per model input, samples along the first axis',
    )
    .option('--refit', 'fit what is kept to the outputs of the dense network (the default with data)')
    .option('--no-refit', 'leave what is kept as the method made it')
    .option(
      '--compensate <how>',
      'bias: for the means of outputs, in place of the refit; low-rank:R: a product of rank R beside each MatMul and Gemm',
    )
    .option('--recalibrate-bn', 'bring batch normalisations back to what they gave in the dense network')
    .addOption(
      new Option('--allocation <name>', 'how the sparsity is spread over layers (default: uniform)').choices([
        ...allocations,
        'latency',
      ]),
    )
    .option('--sensitivity <file>', 'what the command sensitivity found, for the allocations that use it')
    .option('--stages <n>', 'prune in so many stages of rising sparsity', wholeNumber(1))
    .addOption(
      new Option('--schedule <curve>', 'how it rises over the stages (default: cubic)').choices(
        scheduleNames,
      ),
    )
    .option('--min-sparsity <share>', 'what each layer loses at least', finiteNumber)
    .option('--max-sparsity <share>', 'what each layer loses at most', finiteNumber)
    .option(
      '--gradients <files...>',
      'npz or safetensors: gradients by the name of the weight, a file for each batch',
    )
    .option(
      '--rows <n>',
      'rows of each layer that are taken of all samples together (default: 32768)',
      wholeNumber(1),
    )
    .option('--seed <n>', 'of method random', wholeNumber(0))
    .option('--threads <n>', 'threads that calibrate (default: all CPUs)', wholeNumber(1))
    .option('--recipe <file>', 'YAML or JSON with these options, or stages of them');
}

/** Whether a command line asks for more than a plan by magnitudes. */
export function isCalibrated(given: CalibratedArguments): boolean {
  const { method, calibration, refit, compensate, recalibrateBn, allocation, recipe } = given;
  const { sensitivity, stages, schedule } = given;
  const asked = [
    calibration,
    refit,
    compensate,
    recalibrateBn,
    allocation,
    recipe,
    sensitivity,
    stages,
    schedule,
  ];
  const chosen = method !== undefined && method !== 'magnitude';
  return chosen || [...asked, targetOf(given)].some((value) => value !== undefined);
}

/** @throws EspalierError ERR_ESPALIER_ARGUMENT for options that only patterns of zeros have. */
export function refuseForStructures(given: CalibratedArguments): void {
  const { refit, compensate, recalibrateBn, allocation, recipe, sensitivity, stages, schedule } = given;
  const asked = [refit, compensate, recalibrateBn, allocation, recipe, sensitivity, stages, schedule];
  if (asked.every((value) => value === undefined)) return;
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    'Expected --refit, --compensate, --recalibrate-bn, --allocation, --recipe, --sensitivity, --stages and --schedule with a pattern of zeros only, got a structure',
  );
}

/**
 * Prunes as a command line or its recipe says. Finished layers are kept beside the output, so that the same command goes
 * on where it was interrupted.
 */
export async function pruneWithData(
  graph: Graph,
  given: CalibratedArguments,
  options: Pick<CalibratedOptions, 'sparsity' | 'pattern' | 'scope' | 'include' | 'exclude' | 'operators'> & {
    readonly shapes: Shapes;
  },
  output: string,
  io: Io,
): Promise<PrunedByData> {
  const { shapes, ...planning } = options;
  const stages = await stagesOf(given, planning);
  const samples = await readSamples(given.calibration, graph);
  const gradients = await readGradients(given.gradients);
  let result: PrunedByData | undefined;
  for (const [i, stage] of stages.entries()) {
    const title = stages.length === 1 ? 'prune' : `prune ${i + 1}/${stages.length}`;
    const path = `${output}.${i === 0 ? '' : `${i}.`}unfinished`;
    const known = await stat(path).catch(() => undefined);
    const state = samples.length === 0 || 'target' in stage ? undefined : await PruneStateFile.open(path);
    if (state !== undefined && known !== undefined && known.size > 0)
      io.err(`going on with the layers in ${path}\n`);
    const progress = showProgress(io, title);
    try {
      const { threads } = given;
      const more = { gradients, threads, state, onProgress: progress.update };
      const before = result?.graph ?? graph;
      result =
        'target' in stage
          ? await pruneToTarget(before, samples, { ...stage, ...more, shapes })
          : await pruneCalibrated(before, samples, { ...stage, ...more });
      await state?.remove();
    } catch (error) {
      await state?.close();
      throw error;
    } finally {
      progress.stop();
    }
  }
  const { graph: pruned, ...rest } = result as PrunedByData; // there is a stage
  return { ...rest, graph: pruned, stages: plainStages(stages) };
}

export interface PrunedByData {
  readonly graph: Graph;
  readonly plan: PruningPlan;
  /** What was done, for the model's history. */
  readonly stages?: readonly unknown[] | undefined;
  /** Of the last stage, when it had one. */
  readonly target?: MetTarget;
}

async function stagesOf(given: CalibratedArguments, options: CalibratedOptions): Promise<readonly Stage[]> {
  const { recipe, calibration, method, refit, compensate, allocation, minSparsity, maxSparsity } = given;
  const { rows, seed, stages: count, schedule, recalibrateBn: recalibrateBatchNorm } = given;
  const sensitivity = await readSensitivity(given.sensitivity);
  const target = targetOf(given);
  const fitting = { method, refit, compensate, recalibrateBatchNorm, rows, seed };
  const spreading = { allocation, minSparsity, maxSparsity, sensitivity, target };
  const own = defined({ ...options, ...fitting, ...spreading }) as Partial<Stage>; // which of both it is, is checked where it is used
  if (recipe !== undefined) {
    if (count !== undefined || schedule !== undefined)
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        'Expected --stages and --schedule without --recipe, which says its stages itself',
      );
    const text = await readFile(recipe, 'utf8').catch((cause: unknown) => {
      throw fileError('a recipe at', recipe, cause);
    });
    const { stages } = parseRecipe(text, `recipe ${recipe}`);
    return stages.map((stage) => ({ ...stage, ...own }) as Stage);
  }
  const data = calibration !== undefined;
  const usual: CalibratedOptions = data ? { method: 'admm' } : { method: 'magnitude', refit: false };
  const stage = { ...usual, ...own } as Stage;
  if (count === undefined && schedule === undefined) return [stage];
  if ('target' in stage || count === undefined)
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      'Expected --schedule with --stages and a sparsity, not a target',
    );
  return scheduledStages(stage, { curve: schedule, stages: count }, 'options');
}

/** Without the keys whose value is undefined. */
function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
