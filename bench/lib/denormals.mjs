/** @import { Graph } from '../../dist/graph/graph.js' */

/** Operators whose float32 constants of two or more dims are weights. */
const weighted = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/**
 * A graph whose zero weights are +-`value` instead, signs alternating.
 * @param {Graph} graph
 * @param {number} value
 */
export function fillZeros(graph, value) {
  return mapWeights(graph, (weight, i) => (weight === 0 ? (i % 2 === 0 ? value : -value) : weight));
}

/**
 * A graph whose weights are multiplied by `factor`.
 * @param {Graph} graph
 * @param {number} factor
 */
export function scaleWeights(graph, factor) {
  return mapWeights(graph, (weight) => weight * factor);
}

/**
 * @param {Graph} graph
 * @param {(weight: number, index: number) => number} change
 * @returns {Graph}
 */
function mapWeights(graph, change) {
  const weights = new Set(
    graph.nodes.filter(({ op }) => weighted.has(op)).map(({ inputs }) => inputs[1] ?? ''),
  );
  const constants = new Map(graph.constants);
  for (const [name, constant] of graph.constants) {
    if (!weights.has(name) || constant.type !== 'float32') continue;
    const values = new Float32Array(constant.bytes.slice().buffer).map(change);
    constants.set(name, { ...constant, bytes: new Uint8Array(values.buffer) });
  }
  return { ...graph, constants };
}
