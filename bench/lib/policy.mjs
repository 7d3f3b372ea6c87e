import { fromNumbers } from '../../dist/graph/index.js';

/** @import { Graph } from '../../dist/graph/graph.js' */

/**
 * A policy of fully connected layers with ELU between them.
 * @param {readonly number[]} widths inputs, hidden layers, outputs
 * @returns {Graph}
 */
export function makePolicy(widths) {
  const constants = new Map();
  /** @type {import('../../dist/graph/graph.js').Node[]} */
  const nodes = [];
  let value = 'observation';
  for (const [i, inputs] of widths.slice(0, -1).entries()) {
    const outputs = widths[i + 1] ?? 0;
    const count = inputs * outputs;
    const weights = Array.from({ length: count }, (_, w) => Math.sin(1 + w * 7.13) / Math.sqrt(inputs));
    constants.set(`weight${i}`, fromNumbers('float32', [outputs, inputs], weights));
    constants.set(`bias${i}`, fromNumbers('float32', [outputs], new Array(outputs).fill(0.01)));
    const last = i === widths.length - 2;
    const product = last ? 'action' : `product${i}`;
    nodes.push({
      name: `layer${i}`,
      op: 'Gemm',
      domain: '',
      inputs: [value, `weight${i}`, `bias${i}`],
      outputs: [product],
      attributes: new Map([['transB', { kind: 'int', value: 1n }]]),
    });
    if (last) break;
    value = `hidden${i}`;
    nodes.push({
      name: `elu${i}`,
      op: 'Elu',
      domain: '',
      inputs: [product],
      outputs: [value],
      attributes: new Map(),
    });
  }
  return {
    name: 'policy',
    inputs: [{ name: 'observation', type: 'float32', dims: [1, widths[0] ?? 0] }],
    outputs: [{ name: 'action', type: 'float32', dims: [1, widths.at(-1) ?? 0] }],
    nodes,
    constants,
    opsets: new Map([['', 17]]),
    metadata: {},
  };
}
