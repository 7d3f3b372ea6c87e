import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type Allocation,
  allocations,
  type Compensation,
  type PruneMethod,
  pruneMethods,
  type Structure,
  structureForms,
  structureOf,
} from '../calibrate/index.js';
import type { Graph } from '../graph/graph.js';
import { type PruneScope, pruneScopes } from '../prune/options.js';
import { type ScheduleName, scheduleNames } from '../prune/schedule.js';
import type { Shapes } from '../prune/structured/index.js';
import { type Pattern, parsePattern, patternForms } from '../sparse/patterns.js';
import { collect, finiteNumber, outputFileNot, readShapes, wholeNumber } from './arguments.js';
import type { OnnxOutputArguments } from './onnx_output.js';
import { addTargetOptions, type TargetArguments } from './target.js';

/** Options of `prune`. */
export interface PruneArguments extends TargetArguments, OnnxOutputArguments {
  readonly output: string;
  readonly sparsity?: number;
  readonly pattern?: Pattern | Structure;
  readonly scope?: PruneScope;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly operators?: readonly string[];
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
  readonly roundTo?: number;
  readonly measure?: 'units' | 'parameters' | 'multiplyAdds';
  readonly permute?: boolean;
  readonly scores?: string;
  readonly pushConstants?: boolean;
  readonly shape: readonly string[];
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Adds what says how much of what is removed. */
export function addPruneOptions(command: Command): Command {
  return command
    .option(
      '--sparsity <share>',
      'share of the weights to remove, in [0, 1); an N:M pattern says it itself',
      finiteNumber,
    )
    .requiredOption(
      '-o, --output <file>',
      'the pruned model: .onnx, or .esp to compile it as well',
      outputFileNot('.safetensors', '.npz', '.npy'),
    )
    .option(
      '--pattern <pattern>',
      `shape of the zeros (default: unstructured): ${patternForms}; or what to remove: ${structureForms}`,
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
    );
}

/** Adds what says how weights are chosen and fitted, and by what data. */
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

/** Adds what only structures and orders of channels have. */
export function addStructuredOptions(command: Command): Command {
  return command
    .option('--round-to <n>', 'keep multiples of so many channels', wholeNumber(1))
    .addOption(
      new Option('--measure <measure>', 'what the share of channels, neurons or heads is of (default: units)')
        .choices(['units', 'parameters', 'multiply-adds'])
        .argParser((text) => {
          const measures = { units: 'units', parameters: 'parameters', 'multiply-adds': 'multiplyAdds' };
          if (Object.hasOwn(measures, text)) return measures[text as keyof typeof measures];
          throw new InvalidArgumentError(`Allowed choices are ${Object.keys(measures).join(', ')}.`);
        }),
    )
    .option('--permute', 'first bring channels into an order with which a pattern Rx1 or N:M keeps more')
    .option(
      '--scores <file>',
      'for the pattern layer: a JSON object of scores by residual block, else by data',
    )
    .option(
      '--push-constants',
      'add what removed channels give on average to the biases behind them: on data, else by batch normalisations',
    )
    .option(
      '--shape <name=dims>',
      'dims of an input that the model leaves open; repeat for more',
      collect,
      [],
    );
}

export function shapesOf(graph: Graph, texts: readonly string[]): Shapes {
  const names = graph.inputs.map(({ name }) => name);
  return Object.fromEntries(readShapes(texts, names));
}

function pattern(text: string): Pattern | Structure {
  const structure = structureOf(text);
  if (structure !== undefined) return structure;
  try {
    return parsePattern(text);
  } catch (error) {
    throw new InvalidArgumentError(`${error instanceof Error ? error.message : String(error)}.`);
  }
}
