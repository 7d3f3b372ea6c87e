import { EspalierError } from '../errors.js';
import type { Attribute, Graph, TensorData } from './graph.js';

/**
 * Characters of all names of constants inside graphs. A name repeats those of the nodes around it, so a hostile file of a
 * few MB could ask for names of any size; large models have some 10^6.
 */
const mostNameCharacters = 2 ** 27;

/** A graph inside another. */
export interface InnerGraph {
  readonly graph: Graph;
  /** How to get there: `node/attribute/` for each graph around it; '' for the outermost. */
  readonly path: string;
}

/** A graph and all graphs in the attributes of its nodes, each before those inside it. */
export function* graphsWithPaths(graph: Graph, path = ''): Generator<InnerGraph> {
  yield { graph, path };
  for (const { name, attributes } of graph.nodes) {
    for (const [key, attribute] of attributes)
      if (attribute.kind === 'graph') yield* graphsWithPaths(attribute.value, `${path}${name}/${key}/`);
  }
}

/** The graphs of {@link graphsWithPaths}. */
export function* allGraphs(graph: Graph): Generator<Graph> {
  for (const { graph: one } of graphsWithPaths(graph)) yield one;
}

/**
 * The graph with other data for its constants, and for those of all graphs inside it. The name of a constant inside is
 * `node/attribute/name`, with as many more nodes and attributes before it as there are graphs around it, and `_` behind
 * it where another one has that name. The same graph gives the same names.
 * @throws EspalierError ERR_ESPALIER_MODEL when the names are absurdly long
 */
export function mapConstants(graph: Graph, change: (data: TensorData, name: string) => TensorData): Graph {
  const taken = new Set(graph.constants.keys());
  let characters = 0;
  const unique = (name: string): string => {
    characters += name.length;
    if (characters > mostNameCharacters)
      throw new EspalierError(
        'ERR_ESPALIER_MODEL',
        `Expected names of constants in branches and loop bodies of ${mostNameCharacters} characters, got more`,
      );
    let own = name;
    while (taken.has(own)) own += '_';
    taken.add(own);
    return own;
  };
  const map = (one: Graph, path: string): Graph => ({
    ...one,
    constants: new Map(
      [...one.constants].map(([name, data]) => [
        name,
        change(data, path === '' ? name : unique(path + name)),
      ]),
    ),
    nodes: one.nodes.map((node) => {
      if (![...node.attributes.values()].some(({ kind }) => kind === 'graph')) return node;
      const attributes = [...node.attributes].map(([key, attribute]): [string, Attribute] =>
        attribute.kind === 'graph'
          ? [key, { kind: 'graph', value: map(attribute.value, `${path}${node.name}/${key}/`) }]
          : [key, attribute],
      );
      return { ...node, attributes: new Map(attributes) };
    }),
  });
  return map(graph, '');
}

/** The constants of a graph and of all graphs inside it, by the names of {@link mapConstants}. */
export function allConstants(graph: Graph): Map<string, TensorData> {
  const all = new Map<string, TensorData>();
  mapConstants(graph, (data, name) => {
    all.set(name, data);
    return data;
  });
  return all;
}
