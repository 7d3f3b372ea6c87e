import { fork } from 'node:child_process';
import { once } from 'node:events';

/** @import { EngineOptions, LayerFormat, ValuesByName } from './engines.mjs' */

/**
 * An engine in a process of its own, so that no other engine's threads, memory or compiled code touch its times.
 * @typedef {object} EngineProcess
 * @property {ValuesByName} outputs what the first run returned
 * @property {readonly LayerFormat[]} layers how layers with weights run, where the engine says so
 * @property {(milliseconds: number, minRuns: number, warmUp?: number) => Promise<Float64Array>} time milliseconds of
 *   each run
 * @property {(model: string, feeds: ValuesByName) => Promise<ValuesByName>} outputsOf what another model returns on this
 *   engine
 * @property {() => Promise<number | undefined>} peakBytes see {@link peakOf}
 * @property {() => Promise<void>} stop
 */

/**
 * Tells glibc to keep memory that was freed. onnxruntime-node allocates its outputs anew in each run; beyond 128 KiB glibc
 * takes such memory from the system page by page, now and then for seconds, and a run takes two and a half times as long.
 */
const keepMemory = {
  MALLOC_MMAP_THRESHOLD_: String(2 ** 30),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 30),
  MALLOC_TOP_PAD_: String(2 ** 26),
};

/**
 * Starts a process, opens the model and runs it once.
 * @param {EngineOptions} options
 * @param {ValuesByName} feeds
 * @param {NodeJS.ProcessEnv} [memory] how the process keeps what it frees
 * @returns {Promise<EngineProcess>}
 */
export async function startEngine(options, feeds, memory = keepMemory) {
  const child = fork(new URL('./engine-process.mjs', import.meta.url), {
    serialization: 'advanced',
    env: { ...process.env, ...memory },
  });
  const exited = once(child, 'exit');
  /** @param {unknown} request @returns {Promise<any>} */
  const ask = async (request) => {
    child.send(/** @type {import('node:child_process').Serializable} */ (request));
    const [reply] = await Promise.race([once(child, 'message'), exited.then(([code]) => [{ exit: code }])]);
    if (reply.result !== undefined) return reply.result;
    throw new Error(
      `${options.engine} on ${options.model}: ${reply.error ?? `process ended with code ${reply.exit}`}`,
    );
  };
  const stop = async () => {
    if (child.connected) child.disconnect();
    await exited;
  };
  try {
    const { outputs, layers } = await ask({ kind: 'open', options, feeds });
    return {
      outputs,
      layers,
      stop,
      time: (milliseconds, minRuns, warmUp) => ask({ kind: 'time', milliseconds, minRuns, warmUp }),
      peakBytes: async () => (await ask({ kind: 'peak' })).bytes,
      outputsOf: (model, others) => ask({ kind: 'outputs', options: { ...options, model }, feeds: others }),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Resident memory at the peak of one run, of a process that has run before and that gives back what it frees; undefined
 * where the system does not tell it.
 * @param {EngineOptions} options @param {ValuesByName} feeds
 */
export async function peakOf(options, feeds) {
  const engine = await startEngine(options, feeds, {});
  try {
    return await engine.peakBytes();
  } finally {
    await engine.stop();
  }
}

/**
 * How long the runs of one engine took, in milliseconds.
 * @typedef {object} Timing
 * @property {number} p50 median over the rounds of each round's median
 * @property {number} p99 over all runs
 * @property {number} max over all runs
 * @property {number} runs
 */

/**
 * Times engines in turn, round after round and every second round backwards, so that a machine that grows warmer or
 * busier does so for all of them.
 * @param {readonly EngineProcess[]} engines
 * @param {{ rounds: number, milliseconds: number, minRuns?: number, onRound?: () => void }} options
 *   `milliseconds` is the time of one engine in one round; the first round of each is warm-up and not counted
 * @returns {Promise<Timing[]>} in the order of `engines`
 */
export async function timeAlternating(engines, { rounds, milliseconds, minRuns = 3, onRound = () => {} }) {
  /** @type {Map<EngineProcess, Float64Array[]>} */
  const samples = new Map(engines.map((engine) => [engine, []]));
  for (const engine of engines) await engine.time(milliseconds / 2, 1);
  for (let round = 0; round < rounds; round++) {
    for (const engine of round % 2 === 0 ? engines : [...engines].reverse()) {
      samples.get(engine)?.push(await engine.time(milliseconds, minRuns));
    }
    onRound();
  }
  return engines.map((engine) => summarize(samples.get(engine) ?? []));
}

/** @param {readonly Float64Array[]} rounds @returns {Timing} */
export function summarize(rounds) {
  const all = Float64Array.from(rounds.flatMap((round) => [...round]));
  return {
    p50: quantile(
      Float64Array.from(rounds, (round) => quantile(round, 0.5)),
      0.5,
    ),
    p99: quantile(all, 0.99),
    max: quantile(all, 1),
    runs: all.length,
  };
}

/** The smallest value that at least a share `q` of the values does not exceed. @param {Float64Array} values @param {number} q */
export function quantile(values, q) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}
