import type { Command } from 'commander';
import { benchSession } from '../evaluate/bench.js';
import { InferenceSession } from '../session.js';
import { count, dims, milliseconds } from '../text.js';
import {
  addSessionOptions,
  finiteNumber,
  type SessionArguments,
  sessionOptions,
  wholeNumber,
} from './arguments.js';
import { readFeeds } from './feeds.js';
import { type Io, print } from './io.js';
import { showProgress } from './progress.js';

interface BenchArguments extends SessionArguments {
  readonly runs?: number;
  readonly warmup: number;
  readonly seconds?: number;
  readonly json?: boolean;
}

export function addBench(program: Command, io: Io): void {
  addSessionOptions(program.command('bench').description('time a model on random inputs'))
    .argument('<model>', 'an ONNX model')
    .option('--runs <n>', 'stop after this many timed runs', wholeNumber(1))
    .option('--warmup <n>', 'runs before the first timed one', wholeNumber(0), 10)
    .option('--seconds <n>', 'stop after this long (default: 3, or no limit with --runs)', finiteNumber)
    .option('--json', 'print JSON')
    .action(async (model: string, given: BenchArguments) => {
      using session = await InferenceSession.create(model, sessionOptions(given));
      const feeds = await readFeeds(session.inputMetadata, given);
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
      print(io, given.json, { model, inputs: shapes, threads, isa, warmup, milliseconds: latency }, () =>
        [
          `inputs  ${shapes.map(({ name, type, dims: shape }) => `${name}: ${type} ${dims(shape)}`).join(', ')}`,
          `with    ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${isa}`,
          `runs    ${count(latency.runs)} after ${count(warmup)} for warm-up`,
          `p50     ${milliseconds(latency.p50)}`,
          `p99     ${milliseconds(latency.p99)}`,
          `max     ${milliseconds(latency.max)}`,
          `mean    ${milliseconds(latency.mean)}, ${Number(latency.runsPerSecond.toPrecision(4))} runs/s`,
        ].join('\n'),
      );
    });
}
