import type { Command } from 'commander';
import {
  type CalibratedOptions,
  isStructureStage,
  type MetTarget,
  PruneStateFile,
  plainStages,
  pruneStage,
  type Samples,
  type Stage,
  type StagePruning,
} from '../calibrate/index.js';
import { EspalierError } from '../errors.js';
import { compileModel } from '../esp/index.js';
import type { Graph } from '../graph/graph.js';
import { withHistory } from '../graph/history.js';
import { checkInputs } from '../graph/static_inputs.js';
import { applyPermutation, planPermutation } from '../prune/permute/plan.js';
import { formatPruningPlan, planTotals } from '../prune/print.js';
import { formatBlockPlan, formatStructuredPlan } from '../prune/structured/print.js';
import { bytes, percent } from '../text.js';
import { packageVersion } from '../version.js';
import { readSamples } from './data.js';
import { checkOutput, type FileContents, writeAll } from './files.js';
import { openInput, readGraph } from './input.js';
import { type Io, print } from './io.js';
import { addOnnxOutput, dataFile, onnxFiles } from './onnx_output.js';
import { showProgress } from './progress.js';
import {
  addCalibrationOptions,
  addPruneOptions,
  addStructuredOptions,
  type PruneArguments,
  shapesOf,
} from './prune_options.js';
import { stagesOf } from './prune_stages.js';
import { formatTarget } from './target.js';

export function addPrune(program: Command, io: Io): void {
  const command = program
    .command('prune')
    .description(
      'set the least important weights of a model to zero, or remove channels, neurons, heads or blocks',
    )
    .argument('<model>', 'an ONNX model or a compiled one');
  addOnnxOutput(addStructuredOptions(addCalibrationOptions(addPruneOptions(command))))
    .option('--force', 'replace an existing output file')
    .option('--json', 'print JSON')
    .action(async (model: string, given: PruneArguments) => {
      const { output, force = false, json } = given;
      await checkOutput(output, force);
      if (given.externalData === true) await checkOutput(dataFile(output), force);
      const graph = await readGraph(await openInput(model));
      const stages = await stagesOf(command, graph);
      if (isCompiled(output)) checkInputs(graph, new Map(Object.entries(shapesOf(graph, given.shape))));
      const { output: _output, force: _force, json: _json, ...asked } = given;
      const step = {
        step: 'prune',
        by: `espalier ${packageVersion()}`,
        ...asked,
        stages: plainStages(stages),
      };
      let files: FileContents = new Map();
      const results = await runStages(graph, stages, given, io, async (pruned) => {
        files = outputFiles(withHistory(pruned, step), given, io);
        await writeAll(files, force);
      });
      const size = [...files.values()].flat().reduce((sum, part) => sum + part.byteLength, 0);
      const last = results.at(-1);
      const all = results.length > 1 ? { stages: results.map(({ data }) => data) } : {};
      print(io, json, { output, bytes: size, ...last?.data, ...all }, () =>
        // Of masks the last tells of those before it too.
        results
          .filter((result) => result === last || result.isStructure)
          .map(({ text }) => text)
          .join('\n\n'),
      );
      io.err(`wrote ${[...files.keys()].reverse().join(' and ')}, ${bytes(size)}\n`);
    });
}

/** What a stage did, to print. */
interface Result {
  readonly isStructure: boolean;
  readonly data: object;
  readonly text: string;
}

/**
 * Prunes stage after stage. Finished layers are kept beside the output, so that the same command goes on where it was
 * interrupted, or could not write.
 * @param write writes what came out
 */
async function runStages(
  graph: Graph,
  stages: readonly Stage[],
  given: PruneArguments,
  io: Io,
  write: (pruned: Graph) => Promise<void>,
): Promise<readonly Result[]> {
  const samples = await readSamples(given.calibration, graph);
  const states: PruneStateFile[] = [];
  const results: Result[] = [];
  let pruned = graph;
  try {
    for (const [i, stage] of stages.entries()) {
      const isFirstOfMasks = stages.findIndex((own) => !isStructureStage(own)) === i;
      if (given.permute === true && isFirstOfMasks) pruned = permute(pruned, stages, given, io);
      const path = `${given.output}.${i === 0 ? '' : `${i}.`}unfinished`;
      const state = keepsState(stage, samples) ? await PruneStateFile.open(path) : undefined;
      if (state !== undefined) states.push(state);
      if (state?.isBegun === true) io.err(`going on with what is in ${path}\n`);
      const title = stages.length === 1 ? 'prune' : `prune ${i + 1}/${stages.length}`;
      const progress = showProgress(io, title);
      try {
        const { threads } = given;
        const more = { ...(threads !== undefined && { threads }), ...(state && { state }) };
        const result = await pruneStage(pruned, samples, { ...stage, ...more, onProgress: progress.update });
        pruned = result.graph;
        results.push(describe(result));
      } finally {
        progress.stop();
      }
    }
    await write(pruned);
  } catch (error) {
    // A target that cannot be met is a result: the next run measures anew.
    const isResult = error instanceof EspalierError && error.code === 'ERR_ESPALIER_TARGET';
    for (const state of states) await (isResult ? state.remove() : state.close());
    throw error;
  }
  for (const state of states) await state.remove();
  return results;
}

/** The graph with its channels in an order with which the pattern of the masks keeps more. */
function permute(graph: Graph, stages: readonly Stage[], { shape }: PruneArguments, io: Io): Graph {
  const progress = showProgress(io, 'order of channels');
  try {
    const masks = stages.filter((stage): stage is CalibratedOptions => !isStructureStage(stage));
    const pattern = masks[0]?.pattern ?? 'unstructured';
    const options = {
      pattern,
      sparsity: masks.at(-1)?.sparsity,
      shapes: shapesOf(graph, shape),
      onProgress: progress.update,
    };
    const plan = planPermutation(graph, options);
    const { before, after } = plan.kept;
    progress.stop();
    io.err(`order of channels: ${percent(after)} of all magnitudes kept, ${percent(before)} without\n`);
    return applyPermutation(graph, plan);
  } finally {
    progress.stop();
  }
}

/** Whether a stage takes long enough, layer after layer or measuring, to go on after an interruption. */
function keepsState(stage: Stage, samples: Samples): boolean {
  return !isStructureStage(stage) && (samples.length > 0 || 'target' in stage);
}

function describe(result: StagePruning): Result {
  const { target } = result;
  const met = target === undefined ? '' : `\n\n${formatTarget(target as MetTarget)}`;
  const reached = target === undefined ? {} : { target };
  const isStructure = result.kind !== 'weights';
  switch (result.kind) {
    case 'blocks':
      return { isStructure, data: result.plan, text: formatBlockPlan(result.plan) };
    case 'units':
      return {
        isStructure,
        data: { ...result.plan, ...reached },
        text: `${formatStructuredPlan(result.plan)}${met}`,
      };
    case 'weights': {
      const { plan } = result;
      const layers = plan.layers.map(({ mask, ...layer }) => layer);
      const data = { ...planTotals(plan), options: plan.options, layers, ...reached };
      return { isStructure, data, text: `${formatPruningPlan(plan)}${met}` };
    }
  }
}

function isCompiled(output: string): boolean {
  return output.endsWith('.esp');
}

/** The files of the pruned model, by name; the last one names the others. */
function outputFiles(graph: Graph, given: PruneArguments, io: Io): FileContents {
  const { output } = given;
  if (!isCompiled(output)) return onnxFiles(graph, output, given);
  const progress = showProgress(io, 'compile');
  try {
    const shapes = shapesOf(graph, given.shape);
    return new Map([[output, compileModel(graph, { shapes, onProgress: progress.update }).parts]]);
  } finally {
    progress.stop();
  }
}
