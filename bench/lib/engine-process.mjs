// The child process of one engine: opens a model once, then runs or times it whenever the parent asks. See timing.mjs.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { openEngine } from './engines.mjs';

/** @type {import('./engines.mjs').Engine | undefined} */
let engine;

/**
 * Times single runs until `milliseconds` have passed and at least `minRuns` were made.
 * @param {object} options
 * @param {number} options.milliseconds
 * @param {number} options.minRuns
 * @param {number} [options.warmUp] milliseconds of runs before them that are not counted, one at least: the first ones
 *   find the caches and the page tables full of another engine's data and the processor at another speed, which costs
 *   even a run of 200 ms up to a quarter
 * @returns {Promise<Float64Array>} milliseconds of each run
 */
async function timeRuns({ milliseconds, minRuns, warmUp = 0 }) {
  if (engine === undefined) throw new Error('Expected an open engine');
  const { run } = engine;
  const time = async () => {
    const before = performance.now();
    const pending = run();
    if (pending instanceof Promise) await pending;
    return performance.now() - before;
  };
  let startedAt = performance.now();
  while (performance.now() - startedAt < warmUp) await time();
  const times = [];
  startedAt = performance.now();
  while (times.length < minRuns || performance.now() - startedAt < milliseconds) times.push(await time());
  return Float64Array.from(times);
}

/**
 * What a model returns, on an engine that is closed again.
 * @param {import('./engines.mjs').EngineOptions} options
 * @param {import('./engines.mjs').ValuesByName} feeds
 */
async function outputsOf(options, feeds) {
  const other = await openEngine(options, feeds);
  try {
    return await other.outputs();
  } finally {
    await other.close();
  }
}

/**
 * Resident memory of this process at the peak of a run: Linux forgets the peak before when it is told to (proc(5),
 * clear_refs).
 * @returns {Promise<{ bytes: number | undefined }>}
 */
async function measurePeak() {
  const forget = '/proc/self/clear_refs';
  if (engine === undefined || !existsSync(forget)) return { bytes: undefined };
  writeFileSync(forget, '5');
  await engine.run();
  const peak = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return { bytes: peak === undefined ? undefined : Number(peak) * 1024 };
}

/** @param {any} request */
async function answer(request) {
  if (request.kind === 'outputs') return outputsOf(request.options, request.feeds);
  if (request.kind === 'peak') return measurePeak();
  if (request.kind === 'time') return timeRuns(request);
  engine = await openEngine(request.options, request.feeds);
  return { outputs: await engine.outputs(), layers: engine.layers() };
}

process.on('message', async (request) => {
  try {
    process.send?.({ result: await answer(request) });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.message : String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
