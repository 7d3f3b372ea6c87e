import type { Graph, Node, ValueInfo } from '../graph/graph.js';

/**
 * The part of a graph that computes `values`, which become its outputs, from its inputs and the values `given`, which
 * become inputs; what they do not need is left out. None of `values` may be an input or given.
 */
export function cutGraph(
  graph: Graph,
  values: readonly string[],
  given: readonly Omit<ValueInfo, 'dims'>[] = [],
): Graph {
  const known = new Set(given.map(({ name }) => name));
  const live = new Set(values);
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => live.has(output) && !known.has(output))) continue;
    nodes.push(node);
    for (const name of readBy(node)) live.add(name);
  }
  const declared = new Map(graph.outputs.map((output) => [output.name, output]));
  const fed = [...graph.inputs, ...given.map((value) => ({ ...value, dims: undefined }))];
  return {
    ...graph,
    inputs: fed.filter(({ name }) => live.has(name)),
    outputs: values.map((name) => declared.get(name) ?? { name, type: 'float32', dims: undefined }),
    nodes: nodes.reverse(),
    constants: new Map([...graph.constants].filter(([name]) => live.has(name))),
  };
}

/** Names of the values that a node reads, by graphs inside its attributes too. */
export function readBy(node: Node): string[] {
  const inner = [...node.attributes.values()].flatMap((attribute) =>
    attribute.kind === 'graph' ? attribute.value.nodes.flatMap(readBy) : [],
  );
  return [...node.inputs, ...inner];
}
