import type { Graph, Node } from '../graph/graph.js';

/** How often each value is read; being an output of the graph counts as one more. */
export function countUses(graph: Graph): Map<string, number> {
  const uses = new Map<string, number>();
  const add = (name: string) => uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const node of graph.nodes) node.inputs.forEach(add);
  for (const output of graph.outputs) add(output.name);
  return uses;
}

/** The node that computes each value. */
export function findProducers(graph: Graph): Map<string, Node> {
  return new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
}
