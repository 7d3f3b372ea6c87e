import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { interleave, medianOf, ratioOf, timeRounds } from '../rounds.mjs';
import { startEngine } from '../timing.mjs';
import { dense } from './cases.mjs';
import { openAll, openEspalier, openPeer, peersFor, stopAll } from './contestants.mjs';
import { groupBy } from './rows.mjs';
import { randomValues } from './weights.mjs';

/** @import { PeerName } from '../peer-process.mjs' */
/** @import { EngineProcess } from '../timing.mjs' */
/** @import { Round } from '../rounds.mjs' */
/** @import { Shape, Zeros } from './cases.mjs' */
/** @import { Contestant, Task } from './contestants.mjs' */
/** @import { ShapeFiles } from './files.mjs' */
/** @import { Row } from './rows.mjs' */

/**
 * @typedef {object} GroupOptions
 * @property {Shape} shape
 * @property {number} tokens
 * @property {readonly Zeros[]} zeros dense first
 * @property {ShapeFiles} files
 * @property {string} directory
 * @property {readonly PeerName[]} peers
 * @property {string | undefined} isa of espalier
 * @property {number} rounds
 * @property {number} milliseconds
 * @property {() => void} onRound
 */

/** Zeros that are timed together: those of one sparsity. @param {readonly Zeros[]} zeros */
export const batchesOf = (zeros) => [...groupBy(zeros, ({ sparsity }) => String(sparsity)).values()];

/**
 * All kinds of W of one shape, for one number of tokens. onnxruntime dense and espalier dense stay open throughout; the
 * others come and go batch by batch, so that few processes are alive at a time.
 * @param {GroupOptions} options
 * @returns {Promise<Row[]>}
 */
export async function runGroup(options) {
  const { shape, tokens, files } = options;
  const { feeds, xPath } = await makeInput(options);
  const denseFiles = await files.of(dense);
  const reference = await startEngine({ engine: 'onnxruntime', model: denseFiles.model }, feeds);
  /** @type {Contestant[]} */
  const opened = [];
  try {
    const task = { shape, zeros: dense, files: denseFiles, feeds, xPath, expected: reference.outputs };
    const ours = await openEspalier(task, options);
    opened.push(ours);
    const rows = await runDense(task, { ...options, reference, ours });
    const sparse = options.zeros.filter(({ pattern }) => pattern !== 'dense');
    for (const batch of batchesOf(sparse)) {
      const tasks = [];
      for (const zeros of batch) {
        const itsFiles = await files.of(zeros);
        const expected = await reference.outputsOf(itsFiles.model, feeds);
        tasks.push({ ...task, zeros, files: itsFiles, expected });
      }
      rows.push(...(await runBatch(tasks, { ...options, reference, ours })));
    }
    return rows.map((row) => ({ ...shape, tokens, ...row }));
  } finally {
    await stopAll(opened);
    await reference.stop();
  }
}

/** x, to feed and as a raw file. @param {Pick<GroupOptions, 'shape' | 'tokens' | 'directory'>} options */
export async function makeInput({ shape: { inputs }, tokens, directory }) {
  const data = randomValues(`x ${tokens} ${inputs}`, tokens * inputs, 1);
  const xPath = join(directory, `x-${tokens}-${inputs}.bin`);
  await writeFile(xPath, data);
  return { feeds: { x: { data, dims: [tokens, inputs] } }, xPath };
}

/** @typedef {GroupOptions & { reference: EngineProcess, ours: Contestant }} BatchOptions */

/** @param {Task} task @param {BatchOptions} options */
async function runDense(task, { reference, ours, peers, ...timing }) {
  const others = await openAll(peersFor(peers, dense).map((name) => openPeer(name, task)));
  try {
    const subjects = [ours, ...others];
    const order = interleave(
      subjects.map(({ process }) => process),
      [reference],
    );
    const rounds = await timeRounds(order, timing);
    const { nonZeros } = ours.entry;
    const entry = /** @type {const} */ ({ engine: 'onnxruntime', ...dense, nonZeros, error: 0 });
    return [
      { ...entry, p50: medianOf(rounds, reference) },
      ...subjects.map((subject) => measure(rounds, subject, { reference })),
    ];
  } finally {
    await stopAll(others);
  }
}

/** @param {readonly Task[]} tasks @param {BatchOptions} options */
async function runBatch(tasks, { reference, ours, peers, isa, ...timing }) {
  const contestants = await openAll(
    tasks.flatMap((task) => [
      openEspalier(task, { isa }),
      ...peersFor(peers, task.zeros).map((name) => openPeer(name, task)),
    ]),
  );
  try {
    const order = interleave(
      contestants.map(({ process }) => process),
      [reference, ours.process],
    );
    const rounds = await timeRounds(order, timing);
    return contestants.map((contestant) => measure(rounds, contestant, { reference, ours }));
  } finally {
    await stopAll(contestants);
  }
}

/**
 * @param {readonly Round[]} rounds
 * @param {Contestant} contestant
 * @param {{ reference: EngineProcess, ours?: Contestant }} against
 */
function measure(rounds, { entry, process }, { reference, ours }) {
  const toOnnxruntime = ratioOf(rounds, process, reference);
  const toDense = ours === undefined ? {} : { toDense: ratioOf(rounds, process, ours.process) };
  return { ...entry, p50: medianOf(rounds, process), toOnnxruntime, ...toDense };
}
