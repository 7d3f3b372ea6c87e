import { writeFile } from 'node:fs/promises';
import { exportOnnx } from '../../dist/formats/onnx/index.js';
import { tolerance } from './compare.mjs';
import { judge, withProbe } from './judge.mjs';
import { startEngine } from './timing.mjs';

/** @import { Graph } from '../../dist/graph/graph.js' */
/** @import { ValuesByName } from './engines.mjs' */
/** @import { Probe } from './models.mjs' */

/**
 * An ONNX file and how to run it.
 * @typedef {object} ComparedFile
 * @property {string} title for errors
 * @property {string} path
 * @property {Graph} graph what the file holds
 * @property {Probe | undefined} probe
 * @property {number} [threads] of both engines; default 1
 * @property {string | undefined} [isa] of espalier
 */

/**
 * Opens both engines on a file, each in a process of its own, and compares what they return.
 * @param {ComparedFile} file
 * @param {ValuesByName} feeds
 * @throws when an output is further than the tolerance from onnxruntime's; the processes are stopped
 */
export async function compareFile({ title, path, graph, probe, threads = 1, isa }, feeds) {
  const theirs = /** @type {const} */ ({ engine: 'onnxruntime', threads });
  const own = { .../** @type {const} */ ({ engine: 'espalier', threads }), ...(isa && { isa }) };
  const reference = await startEngine({ ...theirs, model: path }, feeds);
  const ours = await startEngine({ ...own, model: path }, feeds);
  const judgement = await judge({
    expected: reference.outputs,
    actual: ours.outputs,
    probe,
    unoptimised: async () => {
      const engine = await startEngine({ ...theirs, model: path, optimise: false }, feeds);
      await engine.stop();
      return engine.outputs;
    },
    probed: async () => {
      if (probe === undefined) throw new Error('Expected a probe');
      const model = `${path}-probed.onnx`;
      await writeFile(model, exportOnnx(withProbe(graph, probe)));
      return {
        expected: await reference.outputsOf(model, feeds),
        actual: await ours.outputsOf(model, feeds),
      };
    },
  });
  if (judgement.error <= tolerance) return { reference, ours, ...judgement };
  await Promise.all([reference.stop(), ours.stop()]);
  throw new Error(`${title}: expected outputs within ${tolerance} of onnxruntime's, got ${judgement.error}`);
}
