import type { Graph } from '../graph/graph.js';

/** How often each value of a graph is read: by nodes, by graphs inside attributes, and as a graph output. */
export function useCounts(graph: Graph): Map<string, number> {
  const counts = new Map<string, number>();
  const add = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
  const visit = (inner: Graph) => {
    for (const output of inner.outputs) add(output.name);
    for (const node of inner.nodes) {
      node.inputs.forEach(add);
      for (const attribute of node.attributes.values())
        if (attribute.kind === 'graph') visit(attribute.value);
    }
  };
  visit(graph);
  return counts;
}

/** A name that no value of the graph has: `wanted`, or `wanted_2` and so on. */
export function freshName(graph: Graph, taken: ReadonlyMap<string, unknown>, wanted: string): string {
  const names = new Set([
    ...taken.keys(),
    ...graph.inputs.map((input) => input.name),
    ...graph.constants.keys(),
    ...valueNames(graph),
  ]);
  let name = wanted;
  for (let number = 2; names.has(name); number++) name = `${wanted}_${number}`;
  return name;
}

function valueNames(graph: Graph): string[] {
  return graph.nodes.flatMap((node) => [
    ...node.outputs,
    ...[...node.attributes.values()].flatMap((attribute) =>
      attribute.kind === 'graph' ? [...attribute.value.constants.keys(), ...valueNames(attribute.value)] : [],
    ),
  ]);
}
