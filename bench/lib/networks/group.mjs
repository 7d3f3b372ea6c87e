import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportOnnx } from '../../../dist/formats/onnx/index.js';
import { compareFile } from '../compare-file.mjs';
import { interleave, medianOf, ratioOf, timeRounds } from '../rounds.mjs';
import { peakOf } from '../timing.mjs';
import { prune } from './variants.mjs';

/** @import { EngineProcess } from '../timing.mjs' */
/** @import { Ratio } from '../rounds.mjs' */
/** @import { Network } from './cases.mjs' */
/** @import { Variant } from './variants.mjs' */

/**
 * One engine on one variant of one network.
 * @typedef {object} NetworkRow
 * @property {string} network
 * @property {string} title
 * @property {string} family
 * @property {number} threads
 * @property {'espalier' | 'onnxruntime'} engine
 * @property {string} variant
 * @property {number} p50 milliseconds
 * @property {number} multiplyAdds of one run, those with zeros included
 * @property {number} fileBytes of the ONNX file
 * @property {number | undefined} peakBytes resident memory of the process at the peak of a run of the dense network; on Linux
 * @property {number} error largest error against onnxruntime on the same file
 * @property {readonly string[]} undetermined outputs compared by what goes into them: see judge.mjs
 * @property {Ratio} [toOnnxruntime] how many times faster than onnxruntime dense
 * @property {Ratio} [toDense] how many times faster than espalier dense
 */

/**
 * Every variant of a network on espalier, beside onnxruntime dense.
 * @param {Network} network
 * @param {object} options
 * @param {readonly Variant[]} options.variants dense first
 * @param {number} options.threads
 * @param {string | undefined} options.isa of espalier
 * @param {string} options.directory
 * @param {number} options.rounds
 * @param {number} options.milliseconds
 * @param {() => void} options.onRound
 * @returns {Promise<NetworkRow[]>}
 */
export async function runNetwork(network, { variants, threads, isa, directory, ...timing }) {
  const { id, title, family, feeds, probe } = network;
  const graph = await network.graph();
  /** @type {EngineProcess[]} */
  const opened = [];
  /** @type {Omit<NetworkRow, 'p50'>[]} */
  const entries = [];
  try {
    for (const variant of variants) {
      const pruned = prune(graph, variant, network);
      const path = join(directory, `${id}-${variant.id}.onnx`);
      await writeFile(path, exportOnnx(pruned.graph));
      const { reference, ours, error, undetermined } = await compareFile(
        { title: `${title}, ${variant.id}`, path, graph: pruned.graph, probe, threads, isa },
        feeds,
      );
      const { multiplyAdds } = pruned;
      const fileBytes = (await stat(path)).size;
      const entry = { network: id, title, family, threads, variant: variant.id, multiplyAdds, fileBytes };
      /** @param {'espalier' | 'onnxruntime'} engine */
      const peak = (engine) => peakOf({ engine, model: path, threads }, feeds);
      const isDense = opened.length === 0;
      if (isDense) {
        opened.push(reference);
        const peakBytes = await peak('onnxruntime');
        entries.push({ ...entry, engine: 'onnxruntime', peakBytes, error: 0, undetermined: [] });
      } else {
        await reference.stop();
      }
      opened.push(ours);
      const peakBytes = isDense ? await peak('espalier') : undefined;
      entries.push({ ...entry, engine: 'espalier', peakBytes, error, undetermined });
    }
    const [reference, dense, ...pruned] = /** @type {[EngineProcess, EngineProcess, ...EngineProcess[]]} */ (
      opened
    );
    const order = [reference, dense, ...interleave(pruned, [reference, dense])];
    const rounds = await timeRounds(pruned.length === 0 ? [reference, dense] : order, timing);
    return entries.map((entry, i) => {
      const engine = /** @type {EngineProcess} */ (opened[i]);
      const p50 = medianOf(rounds, engine);
      if (engine === reference) return { ...entry, p50 };
      const toOnnxruntime = ratioOf(rounds, engine, reference);
      return engine === dense
        ? { ...entry, p50, toOnnxruntime }
        : { ...entry, p50, toOnnxruntime, toDense: ratioOf(rounds, engine, dense) };
    });
  } finally {
    await Promise.all(opened.map((engine) => engine.stop()));
  }
}
