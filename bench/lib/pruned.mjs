import { writeFile } from 'node:fs/promises';
import { exportOnnx, readOnnx } from '../../dist/formats/onnx/index.js';
import { applyPruning, planPruning } from '../../dist/prune/index.js';

/** @import { Graph } from '../../dist/graph/graph.js' */
/** @import { Pattern } from '../../dist/sparse/patterns.js' */

/**
 * Writes a pruned copy of a model: magnitude pruning, the same share of every layer, no fine-tuning.
 * @param {Graph} graph
 * @param {{ sparsity: number, pattern: Pattern, path: string }} options
 * @returns {Promise<Graph>} the pruned graph
 */
export async function writePruned(graph, { sparsity, pattern, path }) {
  const pruned = applyPruning(graph, planPruning(graph, { sparsity, pattern, scope: 'layer' }));
  await writeFile(path, exportOnnx(pruned));
  return pruned;
}

export { readOnnx };

/** Bytes of the float32 weights of a graph that are not zero. @param {Graph} graph */
export function nonZeroBytes(graph) {
  let count = 0;
  for (const { type, bytes } of graph.constants.values()) {
    if (type !== 'float32') continue;
    const values = new Float32Array(bytes.slice().buffer);
    for (const value of values) count += value === 0 ? 0 : 1;
  }
  return 4 * count;
}
