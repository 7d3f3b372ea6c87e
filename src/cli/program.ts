import { Command, CommanderError } from 'commander';
import { EspalierError } from '../errors.js';
import { printable } from '../text.js';
import { packageVersion } from '../version.js';
import { addBench } from './bench.js';
import { addCompile } from './compile.js';
import { addConvert } from './convert.js';
import { addDiff } from './diff.js';
import { addDoctor } from './doctor.js';
import { addExplain } from './explain.js';
import { addGroups } from './groups.js';
import { addInspect } from './inspect.js';
import type { Io } from './io.js';
import { addPrune } from './prune.js';
import { addRun } from './run.js';
import { addSensitivity } from './sensitivity.js';

/**
 * Runs one command line, `args` being what follows the program's name.
 * @returns the exit code: 0 when it worked, 1 when it failed, 2 when it was called wrongly
 */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  let exitCode = 0;
  const program = new Command('espalier')
    .description('Pruned neural networks, run as fast as their zeros promise.')
    .version(packageVersion())
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError('(--help lists the options)');
  addInspect(program, io);
  addGroups(program, io);
  addPrune(program, io);
  addSensitivity(program, io);
  addCompile(program, io);
  addConvert(program, io);
  addDiff(program, io);
  addExplain(program, io);
  addRun(program, io);
  addBench(program, io);
  addDoctor(program, io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    return report(error, io);
  }
  return exitCode;
}

function report(error: unknown, io: Io): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has printed it
  if (error instanceof EspalierError) {
    io.err(`espalier: ${error.message.split('\n').map(printable).join('\n')} (${error.code})\n`);
    return error.code === 'ERR_ESPALIER_ARGUMENT' ? 2 : 1;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.err(`espalier: a defect in espalier, please report it: ${detail} (ERR_ESPALIER_INTERNAL)\n`);
  return 1;
}
