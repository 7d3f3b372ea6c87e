import type { Graph, Node } from '../../graph/graph.js';
import { usedValues } from '../../graph/order.js';
import { inferValues } from '../../graph/specialize.js';
import type { GroupOptions } from './groups.js';

/** A sum x + f(x) of which f can be left out. */
export interface ResidualBlock {
  /** Name of the node that adds. */
  readonly name: string;
  /** The value x: what comes in. */
  readonly input: string;
  /** The sum: what goes out, in dims like the input's. */
  readonly output: string;
  /** Elements of the constants that only f reads. */
  readonly parameters: number;
}

/**
 * The residual blocks of a graph in node order: the attention and the perceptron of a transformer's layer, the blocks of
 * a ResNet whose shortcut is the input itself. Only those with weights of their own count.
 * @throws EspalierError as {@link findGroups}
 */
export function findBlocks(graph: Graph, { shapes = {} }: GroupOptions = {}): ResidualBlock[] {
  const { values } = inferValues(graph, new Map(Object.entries(shapes)));
  const producers = new Map(
    graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)),
  );
  return graph.nodes.flatMap((node): ResidualBlock[] => {
    const [a = '', b = ''] = node.inputs;
    const [output = ''] = node.outputs;
    const adds = node.domain === '' && (node.op === 'Add' || node.op === 'Sum') && node.inputs.length === 2;
    if (!adds || a === b || values.get(a)?.dims.join() !== values.get(b)?.dims.join()) return [];
    const input = reaches(b, a, producers) ? a : reaches(a, b, producers) ? b : undefined;
    if (input === undefined || graph.constants.has(input)) return [];
    const before = parametersOf(graph);
    const parameters = before - parametersOf(withoutBlocks(graph, new Map([[node.name, input]])));
    return parameters === 0 ? [] : [{ name: node.name, input, output, parameters }];
  });
}

/** The graph with these adding nodes, by name, giving their input alone; what nothing reads any more is gone. */
export function withoutBlocks(graph: Graph, inputs: ReadonlyMap<string, string>): Graph {
  const nodes = graph.nodes.map((node): Node => {
    const input = inputs.get(node.name);
    return input === undefined ? node : { ...node, op: 'Identity', inputs: [input], attributes: new Map() };
  });
  const live = new Set(graph.outputs.map(({ name }) => name));
  const kept = nodes.toReversed().filter((node) => {
    if (!node.outputs.some((output) => live.has(output))) return false;
    for (const value of usedValues(node)) live.add(value);
    return true;
  });
  const constants = new Map([...graph.constants].filter(([name]) => live.has(name)));
  return { ...graph, nodes: kept.reverse(), constants };
}

/** Elements of all constants of a graph. */
export function parametersOf(graph: Graph): number {
  let sum = 0;
  for (const { dims } of graph.constants.values()) sum += dims.reduce((product, dim) => product * dim, 1);
  return sum;
}

/** Whether `from` is computed from `value`. */
function reaches(from: string, value: string, producers: ReadonlyMap<string, Node>): boolean {
  const seen = new Set([from]);
  const open = [from];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const producer = producers.get(name);
    for (const used of producer === undefined ? [] : usedValues(producer)) {
      if (used === value) return true;
      if (seen.has(used)) continue;
      seen.add(used);
      open.push(used);
    }
  }
  return false;
}
