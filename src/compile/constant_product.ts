import { floatAttribute, intAttribute } from '../graph/attributes.js';
import type { Node, StaticGraph } from '../graph/graph.js';
import { elementCount } from '../tensor.js';
import { lowRankProduct } from './low_rank.js';

/** Whether the node multiplies by a constant weight matrix in a form that the kernel with an epilogue runs. */
export function isConstantProduct(graph: StaticGraph, node: Node): boolean {
  const [a = '', b = ''] = node.inputs;
  const weight = graph.constants.get(b);
  if (weight?.type !== 'float32') return false;
  if (node.op === 'Conv' || node.op === lowRankProduct) return true;
  const isMatrix = weight.dims.length === 2 && !weight.dims.includes(0);
  return isMatrix && !graph.constants.has(a) && (node.op === 'MatMul' || isPlainGemm(graph, node));
}

/** x * W or x * W^T, plus at most one number for each output. */
function isPlainGemm(graph: StaticGraph, node: Node): boolean {
  const bias = graph.values.get(node.inputs[2] ?? '')?.dims;
  const outputs = graph.values.get(node.outputs[0] ?? '')?.dims.at(-1);
  const plainBias =
    bias === undefined ||
    (floatAttribute(node, 'beta', 1) === 1 && elementCount(bias) === outputs && bias.at(-1) === outputs);
  return plainBias && floatAttribute(node, 'alpha', 1) === 1 && intAttribute(node, 'transA', 0) === 0;
}
