// The child process of one engine: opens a model once, then runs or times it whenever the parent asks. See timing.mjs.
import { openEngine } from './engines.mjs';

/** @type {import('./engines.mjs').Engine | undefined} */
let engine;

/**
 * Times single runs until `milliseconds` have passed and at least `minRuns` were made.
 * @param {{ milliseconds: number, minRuns: number }} options
 * @returns {Promise<Float64Array>} milliseconds of each run
 */
async function timeRuns({ milliseconds, minRuns }) {
  if (engine === undefined) throw new Error('Expected an open engine');
  const times = [];
  const startedAt = performance.now();
  while (times.length < minRuns || performance.now() - startedAt < milliseconds) {
    const before = performance.now();
    const pending = engine.run();
    if (pending instanceof Promise) await pending;
    times.push(performance.now() - before);
  }
  return Float64Array.from(times);
}

/** @param {any} request */
async function answer(request) {
  if (request.kind === 'open') {
    engine = await openEngine(request.options, request.feeds);
    return engine.outputs();
  }
  return timeRuns(request);
}

process.on('message', async (request) => {
  try {
    process.send?.({ result: await answer(request) });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.message : String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
