import { EspalierError } from '../errors.js';
import type { Graph, Node } from './graph.js';

/** Names that a graph inside another one may use: asked, not copied, since every inner graph would copy them again. */
interface Scope {
  readonly has: (name: string) => boolean;
}

/**
 * Checks the static single assignment rules of ONNX (each value assigned once, every use defined, no cycle) for the
 * graph and the graphs inside it, and sorts the nodes topologically; a sorted graph keeps its order.
 * @param outer names that a graph inside another one may use without defining them
 * @throws EspalierError ERR_ESPALIER_MODEL naming the node or value
 */
export function sortGraph(graph: Graph, outer: Scope = new Set()): Graph {
  const producers = collectProducers(graph);
  const fed = new Set([...graph.inputs.map(({ name }) => name), ...graph.constants.keys()]);
  const visible: Scope = { has: (name) => fed.has(name) || producers.has(name) || outer.has(name) };
  for (const { name } of graph.outputs) {
    if (!visible.has(name))
      throw invalid(`Expected output ${JSON.stringify(name)} to be a value of the graph`);
  }
  const inner = graph.nodes.map((node) => sortInnerGraphs(node, visible));
  const uses = new Map(inner.map((node) => [node.name, usedValues(node)]));
  for (const node of inner) {
    const missing = uses.get(node.name)?.find((name) => !visible.has(name));
    if (missing !== undefined) {
      throw invalid(
        `Expected input ${JSON.stringify(missing)} of node ${node.name} (${node.op}) to be defined`,
      );
    }
  }
  return { ...graph, nodes: sortNodes(inner, producers, uses) };
}

/** Every value a node reads, those that only the graphs in its attributes read included. */
export function usedValues(node: Node): string[] {
  const names = node.inputs.filter((name) => name !== '');
  for (const attribute of node.attributes.values()) {
    if (attribute.kind !== 'graph') continue;
    for (const name of freeValues(attribute.value)) names.push(name);
  }
  return names;
}

/** Values that a graph inside another one takes from outside. */
function freeValues(graph: Graph): string[] {
  const defined = new Set([...graph.inputs.map(({ name }) => name), ...graph.constants.keys()]);
  for (const node of graph.nodes) for (const output of node.outputs) defined.add(output);
  const used = [...graph.nodes.flatMap(usedValues), ...graph.outputs.map(({ name }) => name)];
  return used.filter((name) => !defined.has(name));
}

function collectProducers(graph: Graph): Map<string, Node> {
  const defined = new Set<string>(graph.constants.keys());
  for (const { name } of graph.inputs) {
    if (name === '' || defined.has(name))
      throw invalid(`Expected one input ${JSON.stringify(name)}, got two values`);
    defined.add(name);
  }
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) {
      if (output === '') continue;
      if (defined.has(output)) {
        throw invalid(`Expected output ${JSON.stringify(output)} of node ${node.name} to be assigned once`);
      }
      defined.add(output);
      producers.set(output, node);
    }
  }
  return producers;
}

function sortInnerGraphs(node: Node, visible: Scope): Node {
  if (![...node.attributes.values()].some(({ kind }) => kind === 'graph')) return node;
  const attributes = new Map(node.attributes);
  for (const [key, attribute] of node.attributes) {
    if (attribute.kind === 'graph')
      attributes.set(key, { kind: 'graph', value: sortGraph(attribute.value, visible) });
  }
  return { ...node, attributes };
}

/** Depth-first with a stack of our own: chains of nodes are longer than the call stack is deep. */
function sortNodes(
  nodes: readonly Node[],
  producers: ReadonlyMap<string, Node>,
  uses: ReadonlyMap<string, readonly string[]>,
): Node[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const state = new Map<string, 'open' | 'done'>();
  const sorted: Node[] = [];
  for (const root of nodes) {
    const stack = [{ node: root, next: 0 }];
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as { node: Node; next: number };
      const { name } = top.node;
      if (state.get(name) === 'done') {
        stack.pop();
        continue;
      }
      state.set(name, 'open');
      const used = uses.get(name)?.[top.next++];
      if (used === undefined) {
        state.set(name, 'done');
        sorted.push(top.node);
        stack.pop();
        continue;
      }
      const producer = producers.get(used);
      if (producer === undefined || state.get(producer.name) === 'done') continue;
      if (state.get(producer.name) === 'open') {
        throw invalid(
          `Expected a graph without cycles, got one through node ${producer.name} (${producer.op})`,
        );
      }
      stack.push({ node: byName.get(producer.name) ?? producer, next: 0 });
    }
  }
  return sorted;
}

function invalid(message: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_MODEL', message);
}
