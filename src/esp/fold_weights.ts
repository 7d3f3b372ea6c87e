import { byteCount } from '../graph/data.js';
import type { Graph, Node, TensorData } from '../graph/graph.js';
import { usedValues } from '../graph/order.js';
import { specialize } from '../graph/specialize.js';

const withWeights: ReadonlySet<string> = new Set(['Conv', 'Gemm', 'MatMul']);

/**
 * The graph without constants that nothing reads. It computes weights of layers that the graph makes of constants
 * alone, a transposed one for instance, where this needs no more bytes than the constants that it was made of: not for a
 * weight that is dequantized, or used in two forms.
 */
export function foldWeights(whole: Graph): Graph {
  const graph = withConstants(whole, []);
  const known = new Set(graph.constants.keys());
  const nodes = graph.nodes.filter(({ inputs, outputs, attributes }) => {
    const hasGraph = [...attributes.values()].some(({ kind }) => kind === 'graph');
    const computed =
      !hasGraph && inputs.length > 0 && inputs.every((input) => input === '' || known.has(input));
    if (computed) for (const output of outputs) known.add(output);
    return computed;
  });
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const weights = graph.nodes
    .filter(({ op, domain }) => domain === '' && withWeights.has(op))
    .map(({ inputs }) => inputs[1] ?? '')
    .filter((name) => made.has(name));
  if (weights.length === 0) return graph;
  const outputs = [...new Set(weights)].map((name) => ({ name, type: 'float32', dims: undefined }) as const);
  const { constants } = specialize({ ...graph, inputs: [], outputs, nodes }, new Map());
  const folded = [...constants].filter(([name, { type }]) => made.has(name) && type === 'float32');
  const all = withConstants(graph, folded);
  if (constantBytes(all) <= constantBytes(graph)) return all;
  return folded.reduce((sofar, weight) => {
    const next = withConstants(sofar, [weight]);
    return constantBytes(next) <= constantBytes(sofar) ? next : sofar;
  }, graph);
}

/** The graph with constants in place of the nodes that compute them, and without what only those needed. */
function withConstants(graph: Graph, made: readonly (readonly [string, TensorData])[]): Graph {
  const constants = new Map([...graph.constants, ...made]);
  const live = new Set(graph.outputs.map(({ name }) => name));
  const kept: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => live.has(output) && !constants.has(output))) continue;
    // A node with an output that is a constant and one that is not still computes both.
    for (const output of node.outputs) constants.delete(output);
    kept.push(node);
    for (const value of usedValues(node)) live.add(value);
  }
  return {
    ...graph,
    nodes: kept.reverse(),
    constants: new Map([...constants].filter(([name]) => live.has(name))),
  };
}

function constantBytes({ constants }: Graph): number {
  return [...constants.values()].reduce((sum, { type, dims }) => sum + byteCount(type, dims), 0);
}
