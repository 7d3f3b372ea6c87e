import type { Graph, TensorData } from '../../graph/graph.js';
import { rowMajorStrides } from '../../graph/operators/strided.js';
import { bytesPerElement } from '../../tensor.js';
import { matchPlan } from './apply.js';
import { findFactors } from './factors.js';
import type { StructuredPlan } from './plan.js';

/**
 * A graph of the same sizes that computes what {@link applyStructuredPruning} gives: the weights that a plan removes are
 * zeros, those of the layers that take a removed channel included, and so are biases of convolutions and the scale and
 * shift of batch normalisations. Of an embedding every constant is: normalisations see zeros. For training with masks,
 * and to compare.
 * @throws EspalierError as {@link applyStructuredPruning}
 */
export function maskStructuredPruning(graph: Graph, plan: StructuredPlan): Graph {
  const { analysis, orders } = matchPlan(graph, plan);
  const masked = new Set(findFactors(analysis.graph).map(({ weight }) => weight));
  for (const { op, inputs } of analysis.graph.nodes) {
    if (op === 'Conv' || op === 'ConvTranspose' || op === 'Gemm') masked.add(inputs[2] ?? '');
    if (op === 'BatchNormalization') for (const input of inputs.slice(1, 3)) masked.add(input);
  }
  const constants = new Map(analysis.graph.constants);
  for (const [group, kept] of orders) {
    const stays = new Set(kept);
    for (const { value, axis, perUnit, indices } of group.axes) {
      const data = constants.get(value);
      if (data === undefined || (group.kind !== 'embedding' && !masked.has(value))) continue;
      const gone = indices.filter((_, i) => !stays.has(Math.floor(i / perUnit)));
      constants.set(value, cleared(data, axis, gone));
    }
  }
  return { ...analysis.graph, constants };
}

/** The constant with zeros at these indices of an axis. */
function cleared({ type, dims, bytes }: TensorData, axis: number, indices: Int32Array): TensorData {
  const copy = bytes.slice();
  const size = dims[axis] ?? 1;
  const block = (rowMajorStrides(dims)[axis] ?? 1) * bytesPerElement[type];
  for (let start = 0; start < copy.length; start += size * block)
    for (const index of indices) copy.fill(0, start + index * block, start + (index + 1) * block);
  return { type, dims, bytes: copy };
}
