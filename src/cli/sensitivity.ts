import { type Command, Option } from 'commander';
import {
  measuredImportance,
  measureSensitivity,
  type SensitivityReport,
  sensitivityPicture,
} from '../calibrate/index.js';
import { errorCurve } from '../calibrate/sensitivity/report.js';
import { type Needs, parseMatcher } from '../options.js';
import { valueAt } from '../prune/curves.js';
import { type ImportanceName, importanceNames, methodTraits } from '../prune/methods.js';
import { type Pattern, patternForms } from '../sparse/patterns.js';
import { count, percent, table } from '../text.js';
import { outputFile, wholeNumber } from './arguments.js';
import { readGradients, readSamples } from './data.js';
import { checkDistinct, checkOutput, writeWhole } from './files.js';
import { refuseIdleFlags } from './idle.js';
import { openInput, readGraph } from './input.js';
import { type Io, print } from './io.js';
import { showProgress } from './progress.js';

interface SensitivityArguments {
  readonly calibration: string;
  readonly output?: string;
  readonly picture?: string;
  readonly pattern?: Pattern;
  readonly sparsities?: readonly number[];
  readonly measure: 'network' | 'layer';
  readonly method: ImportanceName;
  readonly gradients?: readonly string[];
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly threads?: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

const needs: Needs<Partial<SensitivityArguments>> = {
  gradients: [
    'a --method of gradients',
    ({ method }) => method !== undefined && methodTraits(method).needs === 'gradients',
  ],
  force: ['--output or --picture', ({ output, picture }) => (output ?? picture) !== undefined],
};

export function addSensitivity(program: Command, io: Io): void {
  const command = program
    .command('sensitivity')
    .description('prune each layer alone, and measure what that does to the outputs on data')
    .argument('<model>', 'an ONNX model or a compiled one')
    .requiredOption(
      '--calibration <file>',
      'npz or safetensors: one array per model input, samples along the first axis',
    )
    .option('-o, --output <file>', 'the curves as JSON, which prune --sensitivity reads', outputFile)
    .option('--picture <file>', 'the curves as SVG', outputFile)
    .option('--pattern <pattern>', `shape of the zeros (default: unstructured): ${patternForms}`)
    .option('--sparsities <list>', 'where to measure, such as 0.5,0.7,0.9', (list) =>
      list.split(',').map((text) => Number(text)),
    )
    .addOption(
      new Option('--measure <what>', 'whose outputs are compared')
        .choices(['network', 'layer'])
        .default('network'),
    )
    .addOption(
      new Option('--method <name>', 'how weights are chosen').choices(importanceNames).default('magnitude'),
    )
    .option('--gradients <files...>', 'npz or safetensors: gradients by the name of the weight')
    .option('--include <layers...>', 'only these: names, operators, or re:<regular expression>')
    .option('--exclude <layers...>', 'leave these out')
    .option('--threads <n>', 'threads that run the model (default: all CPUs)', wholeNumber(1))
    .option('--force', 'replace existing output files')
    .option('--json', 'print JSON')
    .action(async (model: string, given: SensitivityArguments) => {
      const { output, picture, force = false, json, pattern, sparsities, measure, threads } = given;
      refuseIdleFlags(command, needs);
      checkDistinct({ '--output': output, '--picture': picture });
      for (const file of [output, picture]) if (file !== undefined) await checkOutput(file, force);
      const graph = await readGraph(await openInput(model));
      const samples = await readSamples(given.calibration, graph);
      const gradients = await readGradients(given.gradients);
      const progress = showProgress(io, 'sensitivity');
      let report: SensitivityReport;
      try {
        const importance = await measuredImportance(graph, given.method, { samples, gradients, threads });
        report = await measureSensitivity(graph, samples, {
          pattern,
          sparsities,
          measure,
          importance,
          include: given.include?.map(parseMatcher),
          exclude: given.exclude?.map(parseMatcher),
          threads,
          onProgress: progress.update,
        });
      } finally {
        progress.stop();
      }
      const write = async (file: string | undefined, text: string) => {
        if (file === undefined) return;
        await writeWhole(file, Buffer.from(text), force);
        io.err(`wrote ${file}\n`);
      };
      await write(output, `${JSON.stringify(report, null, 2)}\n`);
      await write(picture, sensitivityPicture(report));
      print(io, json, report, () => formatReport(report));
    });
}

/** A line for each layer, those that mind most first: the error at each sparsity. */
function formatReport(report: SensitivityReport): string {
  const { layers } = report;
  // Whole units make sparsities a little different in every layer: columns are those of the layer with most points.
  const finest = layers.reduce(
    (a, b) => (b.points.length > a.points.length ? b : a),
    layers[0] ?? { points: [] },
  );
  const shown = finest.points.map(({ sparsity }) => sparsity);
  const worst = (layer: SensitivityReport['layers'][number]) => layer.points.at(-1)?.error ?? 0;
  const rows = layers
    .toSorted((a, b) => worst(b) - worst(a))
    .map(({ name, op, units }) => [
      name,
      op,
      count(units),
      ...shown.map((at) => valueAt(errorCurve(report, name), at).toPrecision(3)),
    ]);
  const columns = shown.map(percent);
  return table(['layer', 'op', 'units', ...columns], rows, ['units', ...columns]);
}
