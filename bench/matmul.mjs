// npm run bench:matmul: a linear layer y = x W (ONNX MatMul, constant W) as a whole operator, dense and with zeros, on
// espalier, onnxruntime and native engines, one thread each. Outputs are compared before anything is timed.
//
//   --shapes bars|models|all        default bars, see lib/matmul/cases.mjs; or outputs x inputs: 3072x768,768x768
//   --tokens 1,64,256|all           N, rows of x
//   --patterns 16x1,4x1|all         dense, 16x1, 8x1, 4x1, 2:4, unstructured; dense always takes part
//   --sparsities 50,90|all          percent
//   --peers onednn,eigen|all|none   native engines
//   --threads 2                     two threads against one instead, for 64 tokens and more
//   --isa avx2                      espalier's instruction set; the others choose their own
//   --rounds 9 --milliseconds 60    how often each engine has its turn, and how long a turn is
//   --json FILE                     results, written after every shape
import { SingleBar } from 'cli-progress';
import { describeMachine } from './lib/machine.mjs';
import { measureCallCost } from './lib/matmul/call-cost.mjs';
import { combine, printShape } from './lib/matmul/cases.mjs';
import { makeFiles } from './lib/matmul/files.mjs';
import { batchesOf, runGroup } from './lib/matmul/group.mjs';
import { readOptions } from './lib/matmul/options.mjs';
import { formatBars, formatCells, formatThreads, losingLines } from './lib/matmul/tables.mjs';
import { runThreadsGroup } from './lib/matmul/threads.mjs';
import { builtPeers } from './lib/peer-process.mjs';
import { writeResults } from './lib/results.mjs';
import { makeScratch } from './lib/scratch.mjs';

/** @import { GroupOptions } from './lib/matmul/group.mjs' */
/** @import { Row } from './lib/matmul/rows.mjs' */
/** @import { ThreadsRow } from './lib/matmul/threads.mjs' */

/**
 * Runs every group of these options, shape by shape.
 * @template R
 * @param {ReturnType<typeof readOptions> & { directory: string }} options
 * @param {{ runOne: (group: GroupOptions) => Promise<R[]>, onShape: (rows: readonly R[]) => Promise<void> }} how
 * @returns {Promise<R[]>}
 */
async function runAll({ shapes, tokens, patterns, sparsities, ...options }, { runOne, onShape }) {
  const zeros = combine({ patterns, sparsities });
  const bar = new SingleBar({
    format: '{bar} {percentage} % {title}',
    stream: process.stderr,
    noTTYOutput: false,
  });
  if (process.stderr.isTTY)
    bar.start(shapes.length * tokens.length * batchesOf(zeros).length * options.rounds, 0, { title: '' });
  const rows = [];
  try {
    for (const shape of shapes) {
      const files = makeFiles(shape, { directory: options.directory, raw: options.peers.length > 0 });
      for (const count of tokens) {
        bar.update({ title: `${printShape(shape)}, N = ${count}` });
        const onRound = () => bar.increment();
        rows.push(...(await runOne({ ...options, shape, tokens: count, zeros, files, onRound })));
      }
      await files.remove();
      await onShape(rows);
    }
  } finally {
    bar.stop();
  }
  return rows;
}

async function main() {
  const read = readOptions();
  const peers = read.peers.filter((name) => builtPeers().includes(name));
  const missingPeers = read.peers.filter((name) => !peers.includes(name));
  if (missingPeers.length > 0) console.error(`Left out, not built: ${missingPeers.join(', ')}`);
  const options = { ...read, peers, directory: makeScratch('espalier-matmul') };
  const { rounds, milliseconds, isa, json, threads } = options;
  const shared = {
    settings: { rounds, milliseconds, isa },
    machine: describeMachine(),
    missingPeers,
    callMicroseconds: await measureCallCost(options),
  };
  /** @param {'matmul' | 'matmul-threads'} bench */
  const writer =
    (bench) =>
    async (/** @type {readonly (Row | ThreadsRow)[]} */ rows, complete = false) => {
      if (json !== undefined) await writeResults(json, { bench, complete, ...shared, rows });
    };
  if (threads === 2) {
    const write = writer('matmul-threads');
    const rows = await runAll({ ...options, peers: [] }, { runOne: runThreadsGroup, onShape: write });
    await write(rows, true);
    console.log(formatThreads(rows));
    return;
  }
  const write = writer('matmul');
  const rows = await runAll(options, { runOne: runGroup, onShape: write });
  await write(rows, true);
  const slower = losingLines(rows);
  const { espalier, onnxruntime } = shared.callMicroseconds;
  console.log(`${formatCells(rows)}\n\n${formatBars(rows)}\n`);
  console.log(slower.length === 0 ? 'No cell is slower.' : `Slower cells:\n${slower.join('\n')}`);
  console.log(`A call costs espalier ${espalier.toFixed(1)} us, onnxruntime ${onnxruntime.toFixed(1)} us.`);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
