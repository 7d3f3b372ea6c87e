import type { DataType } from '../tensor.js';
import type { Graph, Node, ValueInfo } from './graph.js';

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

/**
 * A graph in two parts that run one after the other. The first computes `value` and, of what it computes on the way,
 * all that the second reads: these are its outputs, and inputs of the second, which gives the outputs of the graph.
 * What depends on no input is computed by both. The second needs the types of the values between them, which are known
 * when the first is compiled.
 * @returns undefined when no node computes the value from inputs of the graph
 */
export function splitGraph(
  graph: Graph,
  value: string,
): { readonly first: Graph; readonly rest: (typeOf: (value: string) => DataType) => Graph } | undefined {
  const needed = new Set(cutGraph(graph, [value]).nodes);
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const varying = new Set(inputs);
  for (const node of needed) {
    if (!readBy(node).some((name) => varying.has(name))) continue;
    for (const output of node.outputs) if (output !== '') varying.add(output);
  }
  if (inputs.has(value) || !varying.has(value)) return undefined;
  const outputs = graph.outputs.map(({ name }) => name);
  const read = new Set([...outputs, ...graph.nodes.filter((node) => !needed.has(node)).flatMap(readBy)]);
  const between = [...varying].filter((name) => !inputs.has(name) && (name === value || read.has(name)));
  return {
    first: cutGraph(graph, between),
    rest: (typeOf) =>
      cutGraph(
        graph,
        outputs,
        between.map((name) => ({ name, type: typeOf(name) })),
      ),
  };
}
