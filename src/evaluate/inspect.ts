import { byteCount } from '../graph/data.js';
import type { Graph, Node, ValueInfo } from '../graph/graph.js';
import { graphsWithPaths } from '../graph/inner_graphs.js';
import { findLayers, type Layer } from '../graph/layers.js';
import { analyzeLayer, type LayerAnalysis } from '../sparse/analyze.js';
import { elementCount } from '../tensor.js';

/** What a model is made of, the graphs in branches and loop bodies with it. Plain data. */
export interface ModelReport {
  readonly name: string;
  /** Opset version by domain; '' is the default domain. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Number of nodes by operator, most frequent first. */
  readonly operators: Readonly<Record<string, number>>;
  /** All constants. */
  readonly parameters: { readonly constants: number; readonly count: number; readonly bytes: number };
  readonly layers: readonly LayerReport[];
}

export interface LayerReport extends Omit<LayerAnalysis, 'storedWeights' | 'denseStored'> {
  /** In graphs inside the model `node/attribute/name`. */
  readonly name: string;
  /** Dims of the weight constant. */
  readonly shape: readonly number[];
}

/**
 * Describes a graph: its interface, operators, parameters, and the zeros in each layer.
 * @param analyze gives the analysis of a layer; default: counts its zeros
 * @throws EspalierError ERR_ESPALIER_MODEL when a weight's bytes do not fit its dims.
 */
export function inspectGraph(
  graph: Graph,
  analyze: (graph: Graph, layer: Layer) => LayerAnalysis = analyzeLayer,
): ModelReport {
  const graphs = [...graphsWithPaths(graph)];
  const constants = graphs.flatMap(({ graph: one }) => [...one.constants.values()]);
  return {
    name: graph.name,
    opsets: Object.fromEntries(graph.opsets),
    inputs: graph.inputs,
    outputs: graph.outputs,
    operators: countOperators(graphs.flatMap(({ graph: { nodes } }) => nodes)),
    parameters: {
      constants: constants.length,
      count: constants.reduce((sum, { dims }) => sum + elementCount(dims), 0),
      bytes: constants.reduce((sum, { type, dims }) => sum + byteCount(type, dims), 0),
    },
    layers: graphs.flatMap(({ graph: one, path }) =>
      findLayers(one).map((layer) => {
        const { storedWeights, denseStored, ...zeros } = analyze(one, layer);
        const shape = one.constants.get(layer.weight)?.dims ?? [];
        return { name: path + layer.name, shape, ...zeros };
      }),
    ),
  };
}

function countOperators(nodes: readonly Node[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { op, domain } of nodes) {
    const name = domain === '' ? op : `${domain}.${op}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}
