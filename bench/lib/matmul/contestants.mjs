import { largestError, tolerance } from '../compare.mjs';
import { isDensePeer, startPeer } from '../peer-process.mjs';
import { startEngine } from '../timing.mjs';
import { printShape, printZeros } from './cases.mjs';

/** @import { ValuesByName } from '../engines.mjs' */
/** @import { PeerName } from '../peer-process.mjs' */
/** @import { Timed } from '../rounds.mjs' */
/** @import { Shape, Zeros } from './cases.mjs' */
/** @import { WeightFiles } from './files.mjs' */
/** @import { Measured } from './rows.mjs' */

/**
 * An engine on one W, its outputs compared: what a row says before anything is timed, and the process to time.
 * @typedef {Timed & { stop(): Promise<void> }} Running
 * @typedef {Pick<Measured, 'engine' | 'nonZeros' | 'error' | 'format' | 'reason'> & Zeros} Entry
 * @typedef {{ entry: Entry, process: Running }} Contestant
 *
 * x and what y must be.
 * @typedef {object} Task
 * @property {Shape} shape
 * @property {Zeros} zeros
 * @property {WeightFiles} files
 * @property {ValuesByName} feeds
 * @property {string} xPath the same x as a raw file
 * @property {ValuesByName} expected onnxruntime's y for these weights
 */

/** The native engines that take part for these zeros; none of them knows of blocks. @param {readonly PeerName[]} peers @param {Zeros} zeros */
export const peersFor = (peers, { pattern }) =>
  peers.filter((name) => pattern === (isDensePeer(name) ? 'dense' : 'unstructured'));

/**
 * @param {Task} task
 * @param {{ threads?: number, isa?: string | undefined }} options
 * @returns {Promise<Contestant>}
 */
export async function openEspalier(task, { threads = 1, isa }) {
  const { files, feeds, zeros } = task;
  const options = isa === undefined ? {} : { isa };
  const process = await startEngine({ engine: 'espalier', model: files.model, threads, ...options }, feeds);
  const error = await judged('espalier', task, process, process.outputs);
  const [layer] = process.layers;
  const how = layer === undefined ? {} : { format: layer.format, reason: layer.reason };
  return { process, entry: { engine: 'espalier', ...zeros, nonZeros: files.nonZeros, error, ...how } };
}

/** @param {PeerName} name @param {Task} task @returns {Promise<Contestant>} */
export async function openPeer(name, task) {
  const { shape, zeros, files, feeds, xPath, expected } = task;
  const tokens = feeds['x']?.dims[0] ?? 0;
  const process = await startPeer(name, { ...shape, tokens, x: xPath, weights: files.weights });
  const outputs = { y: { data: process.output, dims: expected['y']?.dims ?? [] } };
  const error = await judged(name, task, process, outputs);
  return { process, entry: { engine: name, ...zeros, nonZeros: files.nonZeros, error } };
}

/** The error, when it is within the tolerance. @param {string} engine @param {Task} task @param {Running} process @param {ValuesByName} outputs */
async function judged(engine, { shape, zeros, expected }, process, outputs) {
  const error = largestError(expected, outputs);
  if (error <= tolerance) return error;
  await process.stop();
  const what = `${engine}, ${printShape(shape)}, ${printZeros(zeros)}`;
  throw new Error(`${what}: expected outputs within ${tolerance} of onnxruntime's, got ${error}`);
}

/**
 * Opens all at once, which is quicker and disturbs nothing: none is timed yet. When one fails, the others are stopped.
 * @param {readonly Promise<Contestant>[]} opening
 */
export async function openAll(opening) {
  const settled = await Promise.allSettled(opening);
  const opened = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = settled.find((result) => result.status === 'rejected');
  if (failed === undefined) return opened;
  await stopAll(opened);
  throw failed.reason;
}

/** @param {readonly Contestant[]} contestants */
export async function stopAll(contestants) {
  await Promise.all(contestants.map(({ process }) => process.stop()));
}
