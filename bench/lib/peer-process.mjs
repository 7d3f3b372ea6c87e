import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../build/bench-peers/peers', import.meta.url));

/** @typedef {'onednn' | 'eigen' | 'xnnpack'} PeerName */

/** @type {readonly PeerName[]} */
export const peerNames = ['onednn', 'eigen', 'xnnpack'];

/** Dense engines run dense weights only, sparse ones only weights with zeros. @param {PeerName} name */
export const isDensePeer = (name) => name === 'onednn';

/** The native engines that were built in (see scripts/lib/peers.mjs); none when the program is not there. */
export function builtPeers() {
  if (!existsSync(program)) return [];
  const { stdout } = spawnSync(program, ['--list'], { encoding: 'utf8' });
  return peerNames.filter((name) => stdout?.split('\n').includes(name));
}

/**
 * A native engine in a process of its own; bench/native/main.cc says how to speak with it.
 * @typedef {object} PeerProcess
 * @property {Float32Array} output what the first run returned, [tokens, outputs]
 * @property {(milliseconds: number, minRuns: number, warmUp?: number) => Promise<Float64Array>} time milliseconds of
 *   each run
 * @property {() => Promise<void>} stop
 */

/**
 * @param {PeerName} name
 * @param {{ tokens: number, inputs: number, outputs: number, x: string, weights: string }} product with paths of raw
 *   float32 files
 * @returns {Promise<PeerProcess>}
 */
export async function startPeer(name, { tokens, inputs, outputs, x, weights }) {
  const args = [name, String(tokens), String(inputs), String(outputs), x, weights];
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = once(child, 'close');
  child.stdin.on('error', () => {}); // a process that has ended: the missing reply says so
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (complaint += text));
  const readFrame = frameReader(child.stdout);
  /** @param {string} request */
  const ask = async (request) => {
    child.stdin.write(`${request}\n`);
    const frame = await readFrame();
    if (frame === undefined) throw new Error(`${name}: ${complaint.trim() || 'process ended'}`);
    return frame;
  };
  const stop = async () => {
    child.stdin.end();
    await exited;
  };
  try {
    const output = new Float32Array(await ask('output'));
    const time = async (/** @type {number} */ milliseconds, /** @type {number} */ minRuns, warmUp = 0) =>
      new Float64Array(await ask(`time ${milliseconds} ${minRuns} ${warmUp}`));
    return { output, stop, time };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Reads frames: their bytes as uint64, then so many bytes.
 * @param {AsyncIterable<Uint8Array>} stream
 * @returns {() => Promise<ArrayBuffer | undefined>} undefined when the stream has ended
 */
function frameReader(stream) {
  const chunks = stream[Symbol.asyncIterator]();
  /** @type {Uint8Array} */
  let pending = new Uint8Array();
  /** @param {number} bytes */
  const take = async (bytes) => {
    const parts = [pending];
    let length = pending.length;
    while (length < bytes) {
      const { value, done } = await chunks.next();
      if (done) return undefined;
      parts.push(value);
      length += value.length;
    }
    const all = Buffer.concat(parts);
    pending = all.subarray(bytes);
    return Uint8Array.from(all.subarray(0, bytes)).buffer;
  };
  return async () => {
    const header = await take(8);
    return header === undefined ? undefined : take(Number(new DataView(header).getBigUint64(0, true)));
  };
}
