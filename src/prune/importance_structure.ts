import { readElements } from '../graph/data.js';
import type { Graph, Node } from '../graph/graph.js';
import type { Layer } from '../graph/layers.js';
import { type Importance, magnitude, named } from './importance.js';
import { forEachWeight } from './importance_activation.js';

/**
 * w^2 / sum of w'^2 over all |w'| >= |w| of the layer, for one ranking over all layers (`scope: 'global'`): the largest
 * weight of each layer scores 1, so none is emptied. J. Lee et al., "Layer-adaptive sparsity for the magnitude-based
 * pruning", 2021 (arXiv 2010.07611).
 */
export const lamp: Importance = function lamp(_layer, weights) {
  const order = Uint32Array.from(weights.keys()).sort(
    (a, b) => Math.abs(weights[a] as number) - Math.abs(weights[b] as number) || a - b,
  );
  const scores = new Float64Array(weights.length);
  let rest = 0;
  for (const at of order.reverse()) {
    const square = (weights[at] as number) ** 2;
    rest += square;
    scores[at] = rest === 0 ? 0 : square / rest;
  }
  return scores;
};

/**
 * For every weight of output k, the sum over outputs j of ||F_k - F_j||_2: outputs that others can replace go first.
 * Y. He et al., "Filter Pruning via Geometric Median", 2019 (arXiv 1811.00250). Meant for whole outputs.
 */
export const fpgm: Importance = function fpgm(layer, weights) {
  const { groups, outputs, inputs } = layer;
  const distances = new Float64Array(groups * outputs);
  for (let group = 0; group < groups; group++) {
    for (let k = group * outputs; k < (group + 1) * outputs; k++) {
      for (let j = group * outputs; j < k; j++) {
        let square = 0;
        for (let input = 0; input < inputs; input++) {
          square += ((weights[k * inputs + input] as number) - (weights[j * inputs + input] as number)) ** 2;
        }
        distances[k] = (distances[k] as number) + Math.sqrt(square);
        distances[j] = (distances[j] as number) + Math.sqrt(square);
      }
    }
  }
  return forEachWeight(layer, weights, (_weight, row) => distances[row] as number);
};

/**
 * For every weight of a channel, |gamma| of the BatchNormalization behind it; |w| where there is none. Z. Liu et al.,
 * "Learning Efficient Convolutional Networks through Network Slimming", 2017 (arXiv 1708.06519). Meant for whole outputs.
 */
export function batchNormScale(graph: Graph): Importance {
  const scales = new Map<string, readonly number[]>();
  const normalised = new Map<string, Node>();
  for (const node of graph.nodes)
    if (node.op === 'BatchNormalization' && node.domain === '') normalised.set(node.inputs[0] ?? '', node);
  for (const { name, outputs } of graph.nodes) {
    const gamma = graph.constants.get(normalised.get(outputs[0] ?? '')?.inputs[1] ?? '');
    if (gamma?.type === 'float32') scales.set(name, Array.from(readElements(gamma), Number));
  }
  return named('bn', (layer: Layer, weights) => {
    const gammas = scales.get(layer.name);
    if (gammas?.length !== layer.groups * layer.outputs) return magnitude(layer, weights);
    return forEachWeight(layer, weights, (_weight, row) => Math.abs(gammas[row] as number));
  });
}
