import { type Command, InvalidArgumentError, Option } from 'commander';
import { exportOnnx, readOnnx } from '../formats/onnx/index.js';
import type { Graph } from '../graph/graph.js';
import { withHistory } from '../graph/history.js';
import { applyPruning } from '../prune/apply.js';
import { planPruning } from '../prune/plan.js';
import { formatPruningPlan, planTotals } from '../prune/print.js';
import { isPattern, type Pattern, parsePattern, patternForms } from '../sparse/patterns.js';
import { bytes } from '../text.js';
import { packageVersion } from '../version.js';
import { finiteNumber, matcher, outputFile } from './arguments.js';
import { checkFolder, checkWritable, writeWhole } from './files.js';
import { type Io, print } from './io.js';
import {
  addStructuredOptions,
  permute,
  pruneStructured,
  type StructuredArguments,
  type StructuredPattern,
  structuredForms,
  structuredPattern,
} from './prune_structured.js';

interface PruneArguments extends StructuredArguments {
  readonly pattern: Pattern | StructuredPattern;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function addPrune(program: Command, io: Io): void {
  const command = program
    .command('prune')
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
      `shape of the zeros: ${patternForms}; or what to remove: ${structuredForms}`,
      pattern,
      'unstructured',
    )
    .addOption(
      new Option('--scope <scope>', 'remove the same share of every layer, or rank all layers together')
        .choices(['layer', 'global'])
        .default('layer'),
    )
    .option('--include <layers...>', 'prune only these: names, operators, or re:<regular expression>')
    .option('--exclude <layers...>', 'leave these out')
    .option('--operators <list>', 'prune only these operators, such as Conv,MatMul', (list) =>
      list.split(',').map((operator) => operator.trim()),
    )
    .option('--force', 'replace an existing output file')
    .option('--json', 'print JSON');
  addStructuredOptions(command).action(async (model: string, given: PruneArguments) => {
    const { output, force = false, json, ...options } = given;
    await checkFolder(output);
    await checkWritable(output, force);
    const graph = await readOnnx(model);
    const include = options.include?.map(matcher);
    const exclude = options.exclude?.map(matcher);
    const { sparsity, scope, operators } = options;
    if (!isPattern(options.pattern)) {
      const result = await pruneStructured(graph, options.pattern, { ...options, include, exclude });
      await finish(result.pruned, result.data, result.text);
      return;
    }
    const ordered = options.permute === true ? permute(graph, options.pattern, options, io) : graph;
    const plan = planPruning(ordered, {
      sparsity,
      pattern: options.pattern,
      scope,
      operators,
      include,
      exclude,
    });
    const layers = plan.layers.map(({ mask, ...layer }) => layer);
    const data = { ...planTotals(plan), options: plan.options, layers };
    await finish(applyPruning(ordered, plan), data, () => formatPruningPlan(plan));

    async function finish(pruned: Graph, result: object, text: () => string): Promise<void> {
      const step = { step: 'prune', by: `espalier ${packageVersion()}`, ...options };
      const content = exportOnnx(withHistory(pruned, step));
      await writeWhole(output, content, force);
      print(io, json, { output, bytes: content.length, ...result }, text);
      io.err(`wrote ${output}, ${bytes(content.length)}\n`);
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
