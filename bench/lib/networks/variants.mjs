import { isDepthwise } from '../../../dist/graph/layers.js';
import {
  applyPruning,
  applyStructuredPruning,
  costOf,
  findLayers,
  planPruning,
  planStructuredPruning,
} from '../../../dist/prune/index.js';

/** @import { Graph } from '../../../dist/graph/graph.js' */
/** @import { Pattern } from '../../../dist/sparse/patterns.js' */
/** @import { Network } from './cases.mjs' */

/**
 * A way to prune a network: single weights or blocks, or channels of every group.
 * @typedef {object} Variant
 * @property {string} id
 * @property {number} sparsity share of the weights or of the channels; 0 is dense
 * @property {Pattern | 'channel' | 'dense'} pattern
 */

/** @type {readonly Variant[]} */
export const variants = [
  { id: 'dense', pattern: 'dense', sparsity: 0 },
  { id: 'channels-30', pattern: 'channel', sparsity: 0.3 },
  { id: 'channels-50', pattern: 'channel', sparsity: 0.5 },
  { id: 'channels-70', pattern: 'channel', sparsity: 0.7 },
  { id: '16x1-80', pattern: '16x1', sparsity: 0.8 },
  { id: '16x1-90', pattern: '16x1', sparsity: 0.9 },
  { id: 'unstructured-80', pattern: 'unstructured', sparsity: 0.8 },
];

/**
 * The variants of a family, or those with these ids and dense. Channels are removed from convolutional networks only.
 * @param {string} family @param {string | undefined} ids separated by commas
 */
export function selectVariants(family, ids) {
  const all = variants.filter(({ pattern }) => family === 'conv' || pattern !== 'channel');
  if (ids === undefined) return all;
  const wanted = ids.split(',').map((id) => id.trim());
  const unknown = wanted.filter((id) => !all.some((variant) => variant.id === id));
  if (unknown.length > 0)
    throw new Error(`Expected variants of ${all.map(({ id }) => id).join(', ')}, got ${unknown.join(', ')}`);
  return all.filter(({ id }) => id === 'dense' || wanted.includes(id));
}

/** @typedef {{ graph: Graph, multiplyAdds: number }} PrunedGraph `multiplyAdds` of one run, those with zeros included */

/**
 * A pruned copy of a network, by magnitude and without fine-tuning. Blocks and single weights go from every convolution
 * but the first and the depthwise ones; in a transformer from all linear layers and not from the patches; in a policy from
 * all layers. Channels go from every group, and what is left is a multiple of 8.
 * @param {Graph} graph @param {Variant} variant @param {Pick<Network, 'family' | 'feeds'>} network
 * @returns {PrunedGraph}
 */
export function prune(graph, { pattern, sparsity }, { family, feeds }) {
  const shapes = Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));
  if (pattern === 'channel') {
    const plan = planStructuredPruning(graph, { sparsity, kinds: ['channel'], roundTo: 8, shapes });
    return { graph: applyStructuredPruning(graph, plan), multiplyAdds: plan.after.multiplyAdds };
  }
  const { multiplyAdds } = costOf(graph, shapes);
  if (pattern === 'dense') return { graph, multiplyAdds };
  const layers = findLayers(graph);
  const first = layers.find(({ op }) => op === 'Conv');
  const operators = { conv: ['Conv'], transformer: ['MatMul', 'Gemm'] }[family];
  const exclude = layers
    .filter((layer) => (family === 'conv' && layer === first) || isDepthwise(graph, layer))
    .map(({ name }) => new RegExp(`^${name.replace(/[^\w]/g, '\\$&')}$`)); // a name may be that of an operator too
  const plan = planPruning(graph, { sparsity, pattern, scope: 'layer', operators, exclude });
  return { graph: applyPruning(graph, plan), multiplyAdds };
}
