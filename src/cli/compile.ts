import { type Command, Option } from 'commander';
import { type CompiledWeight, compileModel } from '../esp/compile_model.js';
import type { Needs } from '../options.js';
import { type Isa, isaNames } from '../session_options.js';
import { type WeightStorage, weightStorages } from '../sparse/weight_formats.js';
import { bytes, percent, table } from '../text.js';
import { collect, outputFileNot, readShapes, wholeNumber } from './arguments.js';
import { checkOutput, writeWhole } from './files.js';
import { refuseIdleFlags } from './idle.js';
import { openInput, readGraph } from './input.js';
import { type Io, print } from './io.js';
import { showProgress } from './progress.js';

interface CompileArguments {
  readonly output: string;
  readonly shape: readonly string[];
  readonly tokens?: number;
  readonly isa?: Isa;
  readonly weightStorage?: WeightStorage;
  readonly prefer: 'size' | 'speed';
  readonly force?: boolean;
  readonly json?: boolean;
}

const needs: Needs<Partial<CompileArguments>> = {
  shape: ['no --tokens', ({ tokens }) => tokens === undefined],
};

export function addCompile(program: Command, io: Io): void {
  const command = program
    .command('compile')
    .description('turn a model into one file with packed weights, which opens at once')
    .argument('<model>', 'an ONNX model or a compiled one')
    .requiredOption(
      '-o, --output <file>',
      'the compiled model (.esp)',
      outputFileNot('.onnx', '.npz', '.npy'),
    )
    .option(
      '--shape <name=dims>',
      'dims of an input in most runs, such as x=1,3,48,320; repeat for more inputs',
      collect,
      [],
    )
    .option('--tokens <n>', 'instead of shapes: tokens that share a pass over the weights', wholeNumber(1))
    .addOption(
      new Option('--isa <name>', 'instruction set of most runs (default: auto, this machine)').choices(
        isaNames,
      ),
    )
    .addOption(
      new Option('--weight-storage <type>', 'how weights are stored (default: float32)').choices(
        weightStorages,
      ),
    )
    .addOption(
      new Option('--prefer <what>', 'small formats, or the fastest whatever they take')
        .choices(['size', 'speed'])
        .default('size'),
    )
    .option('--force', 'replace an existing output file')
    .option('--json', 'print JSON')
    .action(async (model: string, given: CompileArguments) => {
      const { output, shape, force = false, json, ...options } = given;
      refuseIdleFlags(command, needs);
      await checkOutput(output, force);
      const graph = await readGraph(await openInput(model));
      const shapes = readShapes(
        shape,
        graph.inputs.map(({ name }) => name),
      );
      const progress = showProgress(io, 'compile');
      let compiled: ReturnType<typeof compileModel>;
      try {
        const target = shapes.size > 0 ? { shapes: Object.fromEntries(shapes) } : {};
        compiled = compileModel(graph, { ...options, ...target, onProgress: progress.update });
      } finally {
        progress.stop();
      }
      const { parts, byteLength, weights } = compiled;
      await writeWhole(output, parts, force);
      print(io, json, { output, bytes: byteLength, weights }, () => describe(weights));
      io.err(`wrote ${output}, ${bytes(byteLength)}\n`);
    });
}

function describe(weights: readonly CompiledWeight[]): string {
  if (weights.length === 0) return 'no layers with weights';
  const header = ['weight', 'layer', 'zeros', 'format', 'bytes', 'of dense'];
  const rows = weights.map(({ name, layer, sparsity, format, storage, bytes: own, denseBytes }) => [
    name,
    layer,
    percent(sparsity),
    `${format ?? 'as it is'}${storage === 'float16' ? ' float16' : ''}`,
    bytes(own),
    percent(own / denseBytes),
  ]);
  return table(header, rows, ['zeros', 'bytes', 'of dense']);
}
