import type { Node, StaticGraph } from './graph.js';

/**
 * Removes nodes, constants and values that no output needs, and `Identity` nodes at outputs where the node before can
 * give the output its name.
 */
export function removeUnused(graph: StaticGraph): StaticGraph {
  const { nodes, names } = renameOutputs(graph);
  const live = new Set(graph.outputs.map(({ name }) => name));
  const kept: Node[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((output) => live.has(output))) continue;
    kept.push(node);
    for (const input of node.inputs) if (input !== '') live.add(input);
  }
  kept.reverse();
  const produced = new Set(kept.flatMap(({ outputs }) => outputs));
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const constants = new Map([...graph.constants].filter(([name]) => live.has(name)));
  const values = new Map(
    [...graph.values]
      .map(([name, value]) => [names.get(name) ?? name, value] as const)
      .filter(([name]) => produced.has(name) || constants.has(name) || inputs.has(name)),
  );
  return { ...graph, nodes: kept, constants, values };
}

/** Gives producers the names of the outputs that `Identity` nodes copy them to, and drops those nodes. */
function renameOutputs(graph: StaticGraph): { nodes: readonly Node[]; names: ReadonlyMap<string, string> } {
  const produced = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const names = new Map<string, string>();
  const dropped = new Set<Node>();
  for (const node of graph.nodes) {
    const [input = ''] = node.inputs;
    const [output = ''] = node.outputs;
    if (node.op !== 'Identity' || !produced.has(input) || outputs.has(input) || names.has(input)) continue;
    names.set(input, output);
    dropped.add(node);
  }
  if (names.size === 0) return { nodes: graph.nodes, names };
  const rename = (name: string) => names.get(name) ?? name;
  const nodes = graph.nodes
    .filter((node) => !dropped.has(node))
    .map((node) => ({ ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) }));
  return { nodes, names };
}
