import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import type { Needs } from '../options.js';
import type { Tensor } from '../tensor.js';
import { dims, printable, table } from '../text.js';
import { addSessionOptions, collect, type SessionArguments } from './arguments.js';
import { checkOutput, writeWhole } from './files.js';
import { refuseIdleFlags } from './idle.js';
import { openInput } from './input.js';
import { fileError, type Io, print } from './io.js';
import { openSession } from './session.js';

interface RunArguments extends SessionArguments {
  readonly input: readonly string[];
  readonly outputDir?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

const needs: Needs<Partial<RunArguments>> = {
  force: ['--output-dir', ({ outputDir }) => outputDir !== undefined],
};

export function addRun(program: Command, io: Io): void {
  const command = addSessionOptions(
    program.command('run').description('run a model once and show its outputs'),
  )
    .argument('<model>', 'an ONNX model or a compiled one')
    .option(
      '--input <name=file>',
      'a .bin (raw), .npy or .json file for an input; others are random',
      collect,
      [],
    )
    .option('--output-dir <folder>', 'write each output to a raw .bin file')
    .option('--force', 'replace existing output files')
    .option('--json', 'print JSON')
    .action(async (model: string, given: RunArguments) => {
      refuseIdleFlags(command, needs);
      const { session: opened, feeds } = await openSession(await openInput(model), given, io);
      using session = opened;
      const files = outputFiles(given.outputDir, session.outputNames);
      if (given.outputDir !== undefined) await makeFolder(given.outputDir);
      for (const file of files) await checkOutput(file, given.force === true);
      const results = await session.run(feeds);
      const outputs = session.outputNames.map((name) => describe(name, results[name] as Tensor));
      for (const [i, file] of files.entries()) {
        const { data } = results[session.outputNames[i] as string] as Tensor;
        await writeWhole(
          file,
          new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
          given.force === true,
        );
        io.err(`wrote ${file}\n`);
      }
      print(
        io,
        given.json,
        { model, outputs: outputs.map((output, i) => ({ ...output, file: files[i] })) },
        () =>
          table(
            ['output', 'type', 'dims', 'min', 'max', 'mean', 'first values'],
            outputs.map(({ name, type, dims: shape, min, max, mean, first }) => [
              name,
              type,
              dims(shape),
              ...[min, max, mean].map(number),
              first.map(number).join(' '),
            ]),
            ['min', 'max', 'mean'],
          ),
      );
    });
}

/** A path for each output. Names become file names: anything unusual turns to `_`, long names are cut, equal ones get a number. */
function outputFiles(folder: string | undefined, names: readonly string[]): string[] {
  if (folder === undefined) return [];
  const taken = new Set<string>();
  return names.map((name) => {
    const base =
      name
        .replace(/[^\w.-]/g, '_')
        .replace(/^\.+/, '_')
        .slice(0, 240) || 'output';
    let unique = base;
    for (let i = 2; taken.has(unique.toLowerCase()); i++) unique = `${base}_${i}`;
    taken.add(unique.toLowerCase());
    return path.join(folder, `${unique}.bin`);
  });
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw fileError('a folder at', folder, cause);
  });
}

function describe(name: string, { type, dims, data }: Tensor) {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (const element of data) {
    const value = Number(element);
    min = value < min || Number.isNaN(value) ? value : min;
    max = value > max || Number.isNaN(value) ? value : max;
    sum += value;
  }
  const range =
    data.length === 0 ? { min: null, max: null, mean: null } : { min, max, mean: sum / data.length };
  return { name, type, dims, ...range, first: Array.from(data.slice(0, 5), Number) };
}

function number(value: number | null): string {
  return value === null ? '-' : printable(String(Number(value.toPrecision(6))));
}
