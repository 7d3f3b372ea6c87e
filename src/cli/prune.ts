import { type Command, InvalidArgumentError, Option } from 'commander';
import { EspalierError } from '../errors.js';
import { readOnnx } from '../formats/onnx/index.js';
import type { Graph } from '../graph/graph.js';
import { withHistory } from '../graph/history.js';
import { parseMatcher } from '../options.js';
import { applyPruning } from '../prune/apply.js';
import { type PruneOptions, type PruneScope, pruneScopes } from '../prune/options.js';
import { planPruning } from '../prune/plan.js';
import { formatPruningPlan, planTotals } from '../prune/print.js';
import { isPattern, type Pattern, parsePattern, patternForms } from '../sparse/patterns.js';
import { bytes } from '../text.js';
import { packageVersion } from '../version.js';
import { finiteNumber, outputFile } from './arguments.js';
import {
  addCalibrationOptions,
  type CalibratedArguments,
  isCalibrated,
  type PrunedByData,
  pruneWithData,
  refuseForStructures,
} from './calibrated.js';
import { checkFolder, checkWritable, writeAll } from './files.js';
import { type Io, print } from './io.js';
import { addOnnxOutput, type OnnxOutputArguments, onnxFiles } from './onnx_output.js';
import {
  addStructuredOptions,
  permute,
  pruneStructured,
  type StructuredArguments,
  type StructuredPattern,
  shapesOf,
  structuredForms,
  structuredPattern,
} from './prune_structured.js';
import { formatTarget } from './target.js';

interface PruneArguments
  extends Omit<StructuredArguments, 'scope'>,
    CalibratedArguments,
    OnnxOutputArguments {
  readonly sparsity?: number;
  readonly pattern?: Pattern | StructuredPattern;
  readonly scope?: PruneScope;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function addPrune(program: Command, io: Io): void {
  const command = addCalibrationOptions(program.command('prune'))
    .description(
      'set the least important weights of a model to zero, or remove channels, neurons, heads or blocks',
    )
    .argument('<model>', 'an ONNX model')
    .option(
      '--sparsity <share>',
      'share of the weights to remove, in [0, 1); an N:M pattern says it itself',
      finiteNumber,
    )
    .requiredOption('-o, --output <file>', 'the pruned ONNX model', outputFile)
    .option(
      '--pattern <pattern>',
      `shape of the zeros (default: unstructured): ${patternForms}; or what to remove: ${structuredForms}`,
      pattern,
    )
    .addOption(
      new Option(
        '--scope <scope>',
        'remove the same share of every layer, of every output, or rank all layers together (default: as the method does)',
      ).choices(pruneScopes),
    )
    .option('--include <layers...>', 'prune only these: names, operators, or re:<regular expression>')
    .option('--exclude <layers...>', 'leave these out')
    .option('--operators <list>', 'prune only these operators, such as Conv,MatMul', (list) =>
      list.split(',').map((operator) => operator.trim()),
    )
    .option('--force', 'replace an existing output file')
    .option('--json', 'print JSON');
  addStructuredOptions(addOnnxOutput(command)).action(async (model: string, given: PruneArguments) => {
    const { output, force = false, json, sparsity, scope, operators } = given;
    await checkFolder(output);
    await checkWritable(output, force);
    const graph = await readOnnx(model);
    const include = given.include?.map(parseMatcher);
    const exclude = given.exclude?.map(parseMatcher);
    if (given.pattern !== undefined && !isPattern(given.pattern)) {
      refuseForStructures(given);
      const ranked = scope ?? 'layer';
      if (ranked === 'row') throw rowsOfStructures();
      const result = await pruneStructured(
        graph,
        given.pattern,
        { ...given, scope: ranked, include, exclude },
        io,
      );
      await finish(result.pruned, result.data, result.text);
      return;
    }
    const ordered =
      given.permute === true ? permute(graph, given.pattern ?? 'unstructured', given, io) : graph;
    const options = { sparsity, pattern: given.pattern, scope, operators, include, exclude };
    const shapes = shapesOf(graph, given.shape);
    const {
      graph: pruned,
      plan,
      stages,
      target,
    }: PrunedByData = isCalibrated(given)
      ? await pruneWithData(ordered, given, { ...options, shapes }, output, io)
      : planned(ordered, options);
    const layers = plan.layers.map(({ mask, ...layer }) => layer);
    const data = { ...planTotals(plan), options: plan.options, layers, ...(target && { target }) };
    const met = target === undefined ? '' : `\n\n${formatTarget(target)}`;
    await finish(pruned, data, () => `${formatPruningPlan(plan)}${met}`, { stages });

    async function finish(smaller: Graph, result: object, text: () => string, more = {}): Promise<void> {
      const { output: _output, force: _force, json: _json, ...asked } = given;
      const step = { step: 'prune', by: `espalier ${packageVersion()}`, ...asked, ...more };
      const files = onnxFiles(withHistory(smaller, step), output, given);
      await writeAll(files, force);
      const size = [...files.values()].flat().reduce((sum, part) => sum + part.byteLength, 0);
      print(io, json, { output, bytes: size, ...result }, text);
      io.err(`wrote ${[...files.keys()].reverse().join(' and ')}, ${bytes(size)}\n`);
    }
  });
}

function pattern(text: string): Pattern | StructuredPattern {
  const structured = structuredPattern(text);
  if (structured !== undefined) return structured;
  try {
    return parsePattern(text);
  } catch (error) {
    throw new InvalidArgumentError(`${error instanceof Error ? error.message : String(error)}.`);
  }
}

function planned(graph: Graph, options: PruneOptions) {
  const plan = planPruning(graph, options);
  return { graph: applyPruning(graph, plan), plan, stages: undefined };
}

function rowsOfStructures(): EspalierError {
  return new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    'Expected --scope layer or global for channels, neurons, heads and blocks, got row',
  );
}
