import type { Command } from 'commander';
import { benchSession } from '../evaluate/bench.js';
import { type ProfiledStep, profileSession } from '../evaluate/profile.js';
import { count, dims, milliseconds, percent, printable, table } from '../text.js';
import { addSessionOptions, finiteNumber, type SessionArguments, wholeNumber } from './arguments.js';
import { openInput } from './input.js';
import { type Io, print } from './io.js';
import { showProgress } from './progress.js';
import { openSession } from './session.js';

interface BenchArguments extends SessionArguments {
  readonly runs?: number;
  readonly warmup: number;
  readonly seconds?: number;
  readonly profile?: boolean;
  readonly json?: boolean;
}

export function addBench(program: Command, io: Io): void {
  addSessionOptions(program.command('bench').description('time a model on random inputs'))
    .argument('<model>', 'an ONNX model or a compiled one')
    .option('--runs <n>', 'stop after this many timed runs', wholeNumber(1))
    .option('--warmup <n>', 'runs before the first timed one', wholeNumber(0), 10)
    .option('--seconds <n>', 'stop after this long (default: 3, or no limit with --runs)', finiteNumber)
    .option('--profile', 'say how long each step takes')
    .option('--json', 'print JSON')
    .action(async (model: string, given: BenchArguments) => {
      const { session: opened, feeds } = await openSession(await openInput(model), given, io);
      using session = opened;
      const { runs, warmup, seconds } = given;
      const progress = showProgress(io, 'bench');
      let latency: ReturnType<typeof benchSession>;
      try {
        latency = benchSession(session, feeds, { runs, warmup, seconds, onProgress: progress.update });
      } finally {
        progress.stop();
      }
      const shapes = Object.entries(feeds).map(([name, { type, dims }]) => ({ name, type, dims }));
      const { threads, isa } = session;
      const steps = given.profile ? profileSession(session, feeds) : undefined;
      const data = {
        model,
        inputs: shapes,
        threads,
        isa,
        warmup,
        milliseconds: latency,
        ...(steps && { steps }),
      };
      print(io, given.json, data, () =>
        [
          `inputs  ${shapes.map(({ name, type, dims: shape }) => `${printable(name)}: ${type} ${dims(shape)}`).join(', ')}`,
          `with    ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${isa}`,
          `runs    ${count(latency.runs)} after ${count(warmup)} for warm-up`,
          `p50     ${milliseconds(latency.p50)}`,
          `p99     ${milliseconds(latency.p99)}`,
          `max     ${milliseconds(latency.max)}`,
          `mean    ${milliseconds(latency.mean)}, ${Number(latency.runsPerSecond.toPrecision(4))} runs/s`,
          ...(steps === undefined ? [] : ['', stepTable(steps)]),
        ].join('\n'),
      );
    });
}

/** The slowest steps; the rest in one line. */
function stepTable(steps: readonly ProfiledStep[]): string {
  const shown = 20;
  const slowest = steps.toSorted((a, b) => b.milliseconds - a.milliseconds);
  const rest = slowest.slice(shown);
  const rows = slowest
    .slice(0, shown)
    .map((step) => [
      step.name,
      step.op,
      step.format ?? '',
      milliseconds(step.milliseconds),
      percent(step.share),
    ]);
  if (rest.length > 0) {
    const sum = (pick: (step: ProfiledStep) => number) => rest.reduce((total, step) => total + pick(step), 0);
    const times = [milliseconds(sum((step) => step.milliseconds)), percent(sum((step) => step.share))];
    rows.push([`${rest.length} other steps`, '', '', ...times]);
  }
  return table(['node', 'step', 'format', 'time', 'share'], rows, ['time', 'share']);
}
