import { interleave, medianOf, timeRounds } from '../rounds.mjs';
import { startEngine } from '../timing.mjs';
import { dense } from './cases.mjs';
import { makeFiles } from './files.mjs';
import { makeInput } from './group.mjs';

/**
 * Microseconds of a product too small to matter, 16 x 16 for one token: what is left is the way from JavaScript into the
 * engine and back. onnxruntime-node starts each run from the event loop, espalier's runSync does not; on small layers
 * that is a part of every ratio, so it is stated with them.
 * @param {{ directory: string, rounds: number, milliseconds: number }} options
 */
export async function measureCallCost({ directory, ...timing }) {
  const shape = { inputs: 16, outputs: 16 };
  const files = makeFiles(shape, { directory, raw: false });
  const { feeds } = await makeInput({ shape, tokens: 1, directory });
  const { model } = await files.of(dense);
  const reference = await startEngine({ engine: 'onnxruntime', model }, feeds);
  try {
    const ours = await startEngine({ engine: 'espalier', model }, feeds);
    const rounds = await timeRounds(interleave([ours], [reference]), timing).finally(ours.stop);
    return { espalier: 1000 * medianOf(rounds, ours), onnxruntime: 1000 * medianOf(rounds, reference) };
  } finally {
    await reference.stop();
  }
}
