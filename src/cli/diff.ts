import type { Command } from 'commander';
import { EspalierError } from '../errors.js';
import {
  diffStructure,
  diffTensors,
  type StructureDiff,
  type TensorDiff,
  type TensorSide,
} from '../evaluate/diff.js';
import { diffOutputs, type OutputDiff } from '../evaluate/diff_outputs.js';
import type { Difference } from '../evaluate/difference.js';
import { tensorsOf } from '../formats/open.js';
import { refuseIdle } from '../options.js';
import { dims, percent, printable, table } from '../text.js';
import { addSessionOptions, collect, type SessionArguments } from './arguments.js';
import { flagOf, givenOptions } from './idle.js';
import { type Input, openInput, readContent } from './input.js';
import { type Io, print } from './io.js';
import { showProgress } from './progress.js';
import { createSession, openSession, sessionOptions } from './session.js';

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

/** What only matters where the models are run. */
const runFlags: ReadonlySet<string> = new Set<keyof DiffArguments>([
  'input',
  'shape',
  'seed',
  'threads',
  'isa',
  'spin',
  'tune',
  'weightStorage',
]);

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
      const asked = Object.keys(givenOptions(command)).filter((key) => runFlags.has(key));
      const refuseAsked = (what: string) =>
        refuseIdle(new Map(asked.map((key) => [key, what])), (key) => flagOf(command, key));
      if (!given.run) refuseAsked('a run');
      const [first, second] = [await openInput(a), await openInput(b)];
      const [ours, theirs] = [await readContent(first), await readContent(second)];
      const areModels = ours.format === 'onnx' && theirs.format === 'onnx';
      if (!areModels) refuseAsked('two models');
      const progress = showProgress(io, 'diff');
      let tensors: TensorDiff[];
      try {
        tensors = diffTensors(tensorsOf(ours), tensorsOf(theirs), progress.update);
      } finally {
        progress.stop();
      }
      const structure = areModels ? diffStructure(ours.graph, theirs.graph) : null;
      const ran = areModels
        ? await runBoth(first, second, given, asked.length > 0, io)
        : { outputs: null, notRun: 'only models can be run' };
      const report = { a, b, structure, tensors, ...ran };
      print(io, given.json, report, () => describe(report));
    });
}

/** A run that flags ask for must work; one that is merely tried may fail, and the report says why. */
async function runBoth(
  a: Input,
  b: Input,
  given: DiffArguments,
  asked: boolean,
  io: Io,
): Promise<Pick<DiffReport, 'outputs' | 'notRun'>> {
  if (!given.run) return { outputs: null, notRun: '--no-run' };
  try {
    const { session, feeds } = await openSession(a, given, io);
    using first = session;
    using second = await createSession(b, sessionOptions(given));
    return { outputs: diffOutputs(first, second, feeds), notRun: null };
  } catch (error) {
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
