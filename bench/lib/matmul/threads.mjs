import { medianOf, ratioOf, timeRounds } from '../rounds.mjs';
import { startEngine } from '../timing.mjs';
import { dense } from './cases.mjs';
import { openAll, openEspalier, stopAll } from './contestants.mjs';
import { batchesOf, makeInput } from './group.mjs';

/** @import { Ratio } from '../rounds.mjs' */
/** @import { Shape, Zeros } from './cases.mjs' */
/** @import { Contestant, Task } from './contestants.mjs' */
/** @import { GroupOptions } from './group.mjs' */

/**
 * What a second thread brings an engine on one linear layer.
 * @typedef {object} Doubled
 * @property {'espalier' | 'onnxruntime'} engine
 * @property {number} tokens
 * @property {string} [format]
 * @property {readonly [one: number, two: number]} p50 milliseconds with one thread and with two
 * @property {Ratio} toOneThread how many times faster two threads are than one
 *
 * @typedef {Doubled & Shape & Zeros} ThreadsRow
 */

/**
 * All kinds of W of one shape with one thread and with two, each pair one after the other, for one number of tokens.
 * @param {GroupOptions} options
 * @returns {Promise<ThreadsRow[]>}
 */
export async function runThreadsGroup(options) {
  const { shape, tokens, files } = options;
  const { feeds, xPath } = await makeInput(options);
  const model = (await files.of(dense)).model;
  /** @param {number} threads */
  const startReference = (threads) => startEngine({ engine: 'onnxruntime', model, threads }, feeds);
  const reference = await startReference(1);
  try {
    const doubled = await startReference(2);
    const rounds = await timeRounds([reference, doubled], options).finally(doubled.stop);
    /** @type {ThreadsRow[]} */
    const rows = [
      { engine: 'onnxruntime', ...shape, tokens, ...dense, ...compare(rounds, reference, doubled) },
    ];
    for (const batch of batchesOf(options.zeros)) {
      const tasks = [];
      for (const zeros of batch) {
        const itsFiles = await files.of(zeros);
        const expected = await reference.outputsOf(itsFiles.model, feeds);
        tasks.push({ shape, zeros, files: itsFiles, feeds, xPath, expected });
      }
      rows.push(...(await runPairs(tasks, options)));
    }
    return rows;
  } finally {
    await reference.stop();
  }
}

/** @param {readonly Task[]} tasks @param {GroupOptions} options @returns {Promise<ThreadsRow[]>} */
async function runPairs(tasks, { shape, tokens, isa, ...timing }) {
  const opened = await openAll(
    tasks.flatMap((task) => [1, 2].map((threads) => openEspalier(task, { threads, isa }))),
  );
  try {
    const rounds = await timeRounds(
      opened.map(({ process }) => process),
      timing,
    );
    return tasks.map(({ zeros }, i) => {
      const [one, two] = /** @type {[Contestant, Contestant]} */ (opened.slice(2 * i, 2 * i + 2));
      const format = one.entry.format === undefined ? {} : { format: one.entry.format };
      const times = compare(rounds, one.process, two.process);
      return { engine: 'espalier', ...shape, tokens, ...zeros, ...format, ...times };
    });
  } finally {
    await stopAll(opened);
  }
}

/**
 * @param {readonly import('../rounds.mjs').Round[]} rounds
 * @param {import('../rounds.mjs').Timed} one @param {import('../rounds.mjs').Timed} two
 * @returns {Pick<Doubled, 'p50' | 'toOneThread'>}
 */
function compare(rounds, one, two) {
  return { p50: [medianOf(rounds, one), medianOf(rounds, two)], toOneThread: ratioOf(rounds, two, one) };
}
