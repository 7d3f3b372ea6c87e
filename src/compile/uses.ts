import type { Graph, Node } from '../graph/graph.js';
import { usedValues } from '../graph/order.js';

/** How often each value is read, by graphs inside the nodes too; being an output of the graph counts as one more. */
export function countUses(graph: Graph): Map<string, number> {
  const uses = new Map<string, number>();
  const add = (name: string) => uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const node of graph.nodes) usedValues(node).forEach(add);
  for (const output of graph.outputs) add(output.name);
  return uses;
}

/** The name, with underscores behind it as long as something in `taken` has it. */
export function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  let own = name;
  while (taken.has(own)) own += '_';
  return own;
}

/** The node that computes each value. */
export function findProducers(graph: Graph): Map<string, Node> {
  return new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
}
