import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/**
 * What one process saw; times in milliseconds.
 * @typedef {object} LoadTrial
 * @property {number} created from before the session is created until it is there
 * @property {number} ran the first run
 * @property {number} again the second run
 * @property {number} fromStart from the start of the process to the first output: Node and the engine's code too
 * @property {number} resident bytes by which the process's resident memory grew between its imports and the first
 *   output: weights, plan, activations, what JavaScript keeps
 * @property {number} mappedResident bytes of the model's mapping that are resident; 0 without one
 * @property {number} mappedShare the same, each page divided by the number of processes that map it
 * @property {readonly number[]} output
 */

const child = fileURLToPath(new URL('./process.mjs', import.meta.url));

/**
 * Opens a model in a new process and runs it, on one thread.
 * @param {{ engine: 'espalier' | 'onnxruntime', model: string }} what
 * @returns {Promise<LoadTrial>}
 */
export async function tryLoading({ engine, model }) {
  const { stdout } = await promisify(execFile)(process.execPath, [child, engine, model]);
  return JSON.parse(stdout);
}
