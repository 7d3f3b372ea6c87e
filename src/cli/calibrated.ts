import { readFile, stat } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import {
  type Allocation,
  allocations,
  type CalibratedOptions,
  type Compensation,
  type PruneMethod,
  PruneStateFile,
  parseRecipe,
  plainStages,
  pruneCalibrated,
  pruneMethods,
  type Recipe,
  type Samples,
  samplesFrom,
} from '../calibrate/index.js';
import { EspalierError } from '../errors.js';
import { readTensors } from '../formats/index.js';
import type { Graph } from '../graph/graph.js';
import type { PruningPlan } from '../prune/plan.js';
import { finiteNumber, wholeNumber } from './arguments.js';
import { fileError, type Io } from './io.js';
import { showProgress } from './progress.js';

/** Options of `prune` that go beyond magnitudes. */
export interface CalibratedArguments {
  readonly method?: PruneMethod;
  readonly calibration?: string;
  readonly refit?: boolean;
  readonly compensate?: Compensation;
  readonly recalibrateBn?: boolean;
  readonly allocation?: Allocation;
  readonly minSparsity?: number;
  readonly maxSparsity?: number;
  readonly gradients?: string;
  readonly rows?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly recipe?: string;
}

export function addCalibrationOptions(command: Command): Command {
  return command
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
      new Option('--allocation <name>', 'how the sparsity is spread over layers (default: uniform)').choices(
        allocations,
      ),
    )
    .option('--min-sparsity <share>', 'what each layer loses at least', finiteNumber)
    .option('--max-sparsity <share>', 'what each layer loses at most', finiteNumber)
    .option('--gradients <file>', 'npz or safetensors: gradients by the name of the weight')
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
  const { method, calibration, refit, allocation, recipe, compensate, recalibrateBn } = given;
  return (
    [calibration, allocation, recipe, compensate, recalibrateBn].some((value) => value !== undefined) ||
    (method !== undefined && method !== 'magnitude') ||
    refit !== undefined
  );
}

/** @throws EspalierError ERR_ESPALIER_ARGUMENT when data are given where only weights are looked at. */
export function refuseCalibration(given: CalibratedArguments): void {
  if (!isCalibrated(given)) return;
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    'Expected --method, --calibration, --refit, --compensate, --recalibrate-bn, --allocation and --recipe with a pattern of zeros only, got a structure',
  );
}

/**
 * Prunes as a command line or its recipe says. Finished layers are kept beside the output, so that the same command goes
 * on where it was interrupted.
 */
export async function pruneWithData(
  graph: Graph,
  given: CalibratedArguments,
  options: Pick<CalibratedOptions, 'sparsity' | 'pattern' | 'scope' | 'include' | 'exclude' | 'operators'>,
  output: string,
  io: Io,
): Promise<{ graph: Graph; plan: PruningPlan; stages: readonly unknown[] }> {
  const { stages } = await stagesOf(given, options);
  const samples: Samples =
    given.calibration === undefined ? [] : samplesFrom(await readTensors(given.calibration), graph.inputs);
  const gradients = given.gradients === undefined ? undefined : new Map(await readTensors(given.gradients));
  let result: { graph: Graph; plan: PruningPlan } | undefined;
  for (const [i, stage] of stages.entries()) {
    const title = stages.length === 1 ? 'prune' : `prune ${i + 1}/${stages.length}`;
    const path = `${output}.${i === 0 ? '' : `${i}.`}unfinished`;
    const known = await stat(path).catch(() => undefined);
    const state = samples.length === 0 ? undefined : await PruneStateFile.open(path);
    if (known !== undefined && known.size > 0) io.err(`going on with the layers in ${path}\n`);
    const progress = showProgress(io, title);
    try {
      const { threads } = given;
      result = await pruneCalibrated(result?.graph ?? graph, samples, {
        ...stage,
        gradients,
        threads,
        state,
        onProgress: progress.update,
      });
      await state?.remove();
    } catch (error) {
      await state?.close();
      throw error;
    } finally {
      progress.stop();
    }
  }
  const { graph: pruned, plan } = result as { graph: Graph; plan: PruningPlan }; // there is a stage
  return { graph: pruned, plan, stages: plainStages(stages) };
}

async function stagesOf(given: CalibratedArguments, options: CalibratedOptions): Promise<Recipe> {
  const { recipe, calibration, method, refit, compensate, allocation, minSparsity, maxSparsity, rows, seed } =
    given;
  const own = defined({
    ...options,
    method,
    refit,
    compensate,
    recalibrateBatchNorm: given.recalibrateBn,
    allocation,
    minSparsity,
    maxSparsity,
    rows,
    seed,
  });
  if (recipe !== undefined) {
    const text = await readFile(recipe, 'utf8').catch((cause: unknown) => {
      throw fileError('a recipe at', recipe, cause);
    });
    const { stages } = parseRecipe(text, `recipe ${recipe}`);
    return { stages: stages.map((stage) => ({ ...stage, ...own })) };
  }
  const data = calibration !== undefined;
  const usual: CalibratedOptions = data ? { method: 'admm' } : { method: 'magnitude', refit: false };
  return { stages: [{ ...usual, ...own }] };
}

/** Without the keys whose value is undefined. */
function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
