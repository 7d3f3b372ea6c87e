import type { Graph, Node } from '../graph/graph.js';

/** The part of a graph that computes `values`, which become its outputs; what they do not need is left out. */
export function cutGraph(graph: Graph, values: readonly string[]): Graph {
  const live = new Set(values);
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => live.has(output))) continue;
    nodes.push(node);
    for (const name of node.inputs) live.add(name);
    for (const attribute of node.attributes.values())
      if (attribute.kind === 'graph') for (const name of capturedBy(attribute.value)) live.add(name);
  }
  const known = new Map(graph.outputs.map((output) => [output.name, output]));
  return {
    ...graph,
    inputs: graph.inputs.filter(({ name }) => live.has(name)),
    outputs: values.map((name) => known.get(name) ?? { name, type: 'float32', dims: undefined }),
    nodes: nodes.reverse(),
    constants: new Map([...graph.constants].filter(([name]) => live.has(name))),
  };
}

/** Names that a graph inside an attribute may take from outside. */
function capturedBy(graph: Graph): string[] {
  return graph.nodes.flatMap((node) => [
    ...node.inputs,
    ...[...node.attributes.values()].flatMap((attribute) =>
      attribute.kind === 'graph' ? capturedBy(attribute.value) : [],
    ),
  ]);
}
