import type { DataType } from '../tensor.js';
import type { Graph, Node, ValueInfo } from './graph.js';
import { usedValues } from './order.js';

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
    for (const name of usedValues(node)) live.add(name);
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

/** A graph in two parts that run one after the other. */
export interface SplitGraph {
  readonly first: Graph;
  /** The second part, made when the first is compiled and the types of the values between them are known. */
  readonly rest: (typeOf: (value: string) => DataType) => Graph;
  /** Inputs of the second part whose values its shapes depend on. */
  readonly values: readonly string[];
}

/**
 * The first part computes `value` and others that shapes depend on, as far as they need none of one another, and, of
 * what it computes on the way, all that the second reads. These are its outputs, and inputs of the second, which gives
 * the outputs of the graph. What depends on no input is computed by both.
 * @returns undefined when no node computes the value from inputs of the graph
 */
export function splitGraph(graph: Graph, value: string): SplitGraph | undefined {
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const varying = dependents(graph, inputs, () => false);
  if (inputs.has(value) || !varying.has(value)) return undefined;
  const values = [...new Set([value, ...countedFirst(graph)])].filter(
    (name) => varying.has(name) && !inputs.has(name),
  );
  const needed = new Set(cutGraph(graph, values).nodes);
  const outputs = graph.outputs.map(({ name }) => name);
  const read = new Set([...values, ...outputs]);
  for (const node of graph.nodes) if (!needed.has(node)) for (const name of usedValues(node)) read.add(name);
  const between = [...needed].flatMap((node) =>
    node.outputs.filter((name) => varying.has(name) && read.has(name)),
  );
  return {
    first: cutGraph(graph, between),
    rest: (typeOf) =>
      cutGraph(
        graph,
        outputs,
        between.map((name) => ({ name, type: typeOf(name) })),
      ),
    values,
  };
}

/** Operators whose outputs are as many as their data says, by the inputs that say it. */
const counting: ReadonlyMap<string, readonly number[]> = new Map([
  ['Compress', [1]],
  ['NonMaxSuppression', [0, 1, 2, 3, 4]],
  ['NonZero', [0]],
  ['Unique', [0]],
]);

/** What counting operators read that no other one has to be run for. */
function countedFirst(graph: Graph): string[] {
  const isCounting = ({ op, domain }: Node) => domain === '' && counting.has(op);
  const behind = dependents(graph, new Set(), isCounting);
  return graph.nodes
    .filter(isCounting)
    .flatMap(({ op, inputs }) => (counting.get(op) ?? []).map((i) => inputs[i] ?? ''))
    .filter((name) => name !== '' && !behind.has(name));
}

/** The values of `start`, what nodes that match give, and all that is computed from these. */
function dependents(graph: Graph, start: ReadonlySet<string>, matches: (node: Node) => boolean): Set<string> {
  const found = new Set(start);
  for (const node of graph.nodes) {
    if (!matches(node) && !usedValues(node).some((name) => found.has(name))) continue;
    for (const output of node.outputs) if (output !== '') found.add(output);
  }
  return found;
}
