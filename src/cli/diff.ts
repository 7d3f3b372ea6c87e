import type { Command } from 'commander';
import { EspalierError } from '../errors.js';
import { openModelOrTensors } from '../esp/read_model.js';
import {
  diffStructure,
  diffTensors,
  type StructureDiff,
  type TensorDiff,
  type TensorSide,
} from '../evaluate/diff.js';
import { diffOutputs, type OutputDiff } from '../evaluate/diff_outputs.js';
import type { Difference } from '../evaluate/difference.js';
import { type FileContent, tensorsOf } from '../formats/open.js';
import type { Needs } from '../options.js';
import { InferenceSession } from '../session.js';
import { dims, percent, printable, table } from '../text.js';
import { addSessionOptions, collect, type SessionArguments } from './arguments.js';
import { refuseIdleFlags } from './idle.js';
import { type Io, print } from './io.js';
import { showProgress } from './progress.js';
import { openSession, sessionOptions } from './session.js';

interface DiffArguments extends SessionArguments {
  readonly input: readonly string[];
  readonly run: boolean;
  readonly json?: boolean;
}

/** How two files differ; null for what only one or none of them has. */
interface DiffReport {
  readonly a: string;
  readonly b: string;
  readonly structure: StructureDiff | null;
  readonly tensors: readonly TensorDiff[];
  readonly outputs: readonly OutputDiff[] | null;
  /** Why there are no outputs. */
  readonly notRun: string | null;
}

const running = ['a run', ({ run }: Partial<DiffArguments>) => run !== false] as const;

const needs: Needs<Partial<DiffArguments>> = {
  ...{ input: running, shape: running, seed: running, threads: running, isa: running, spin: running },
  ...{ tune: running, weightStorage: running },
};

export function addDiff(program: Command, io: Io): void {
  const command = addSessionOptions(
    program.command('diff').description('say how two models, or two files of tensors, differ'),
  )
    .argument('<a>', 'an ONNX model, a compiled one, or tensors: safetensors, its index, .npz, .npy')
    .argument('<b>', 'the file to compare with it')
    .option('--input <name=file>', 'a .bin, .npy or .json file for an input; others are random', collect, [])
    .option('--no-run', 'do not run the models to compare their outputs')
    .option('--json', 'print JSON')
    .action(async (a: string, b: string, given: DiffArguments) => {
      refuseIdleFlags(command, needs);
      const [ours, theirs] = [await openModelOrTensors(a), await openModelOrTensors(b)];
      const progress = showProgress(io, 'diff');
      let tensors: TensorDiff[];
      try {
        tensors = diffTensors(tensorsOf(ours), tensorsOf(theirs), progress.update);
      } finally {
        progress.stop();
      }
      const graphs = ours.format === 'onnx' && theirs.format === 'onnx';
      const structure = graphs ? diffStructure(ours.graph, theirs.graph) : null;
      const report = { a, b, structure, tensors, ...(await runBoth(a, b, ours, theirs, given, io)) };
      print(io, given.json, report, () => describe(report));
    });
}

/** What the user asked for must work; what was merely tried may fail, and the report says why. */
async function runBoth(
  a: string,
  b: string,
  ours: FileContent,
  theirs: FileContent,
  given: DiffArguments,
  io: Io,
): Promise<Pick<DiffReport, 'outputs' | 'notRun'>> {
  if (!given.run) return { outputs: null, notRun: '--no-run' };
  if (ours.format !== 'onnx' || theirs.format !== 'onnx')
    return { outputs: null, notRun: 'only models can be run' };
  try {
    const { session, feeds } = await openSession(a, given, io);
    using first = session;
    using second = await InferenceSession.create(b, sessionOptions(given));
    return { outputs: diffOutputs(first, second, feeds), notRun: null };
  } catch (error) {
    const asked = given.input.length > 0 || given.shape.length > 0;
    if (asked || !(error instanceof EspalierError)) throw error;
    return { outputs: null, notRun: error.message };
  }
}

function describe({ a, b, structure, tensors, outputs, notRun }: DiffReport): string {
  const lines = [`a           ${a}`, `b           ${b}`];
  if (structure !== null) {
    const { onlyInA, onlyInB, changed } = structure;
    const parts = [
      ...structure.interface,
      ...listed('only in a', onlyInA),
      ...listed('only in b', onlyInB),
      ...listed('changed', changed),
    ];
    lines.push(...(parts.length === 0 ? ['same nodes'] : parts).map((part) => `structure   ${part}`));
  }
  const differing = tensors.filter((tensor) => !isSame(tensor));
  lines.push(`tensors     ${tensors.length - differing.length} of ${tensors.length} are the same`);
  if (outputs === null) lines.push(`outputs     not compared: ${notRun}`);
  return [
    ...lines.map(printable),
    ...(differing.length === 0 ? [] : ['', tensorTable(differing)]),
    ...(outputs === null ? [] : ['', outputTable(outputs)]),
  ].join('\n');
}

function listed(title: string, names: readonly string[]): string[] {
  const shown = 10;
  if (names.length === 0) return [];
  const rest = names.length > shown ? `, ${names.length - shown} more` : '';
  return [`${title}: ${names.slice(0, shown).join(', ')}${rest}`];
}

function isSame({ a, b, difference }: TensorDiff): boolean {
  return difference?.share === 0 && a?.type === b?.type;
}

function tensorTable(tensors: readonly TensorDiff[]): string {
  const rows = tensors.map(({ name, a, b, difference }) => [
    name,
    kind(a),
    kind(b),
    a === null ? '' : percent(a.sparsity),
    b === null ? '' : percent(b.sparsity),
    ...cells(difference),
  ]);
  const header = ['tensor', 'a', 'b', 'zeros a', 'zeros b', ...differenceHeader];
  return table(header, rows, ['zeros a', 'zeros b', ...differenceHeader]);
}

function outputTable(outputs: readonly OutputDiff[]): string {
  const rows = outputs.map(({ name, type, dims: shape, difference }) => [
    name,
    type === null || shape === null ? '' : `${type} ${dims(shape)}`,
    ...cells(difference),
  ]);
  return table(['output', 'type', ...differenceHeader], rows, differenceHeader);
}

const differenceHeader = ['max difference', 'relative', 'elements'];

function cells(difference: Difference | null): string[] {
  if (difference === null) return ['-', '-', '-'];
  const { max, relative, share } = difference;
  return [max, relative].map((value) => String(Number(value.toPrecision(3)))).concat(percent(share));
}

function kind(side: TensorSide | null): string {
  return side === null ? 'none' : `${side.type} ${dims(side.dims)}`;
}
