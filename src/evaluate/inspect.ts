import { byteCount } from '../graph/data.js';
import type { Graph, ValueInfo } from '../graph/graph.js';
import { findLayers, type Layer } from '../graph/layers.js';
import { analyzeLayer, type LayerAnalysis } from '../sparse/analyze.js';
import { elementCount } from '../tensor.js';

/** What a model is made of. Plain data. */
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
  const constants = [...graph.constants.values()];
  return {
    name: graph.name,
    opsets: Object.fromEntries(graph.opsets),
    inputs: graph.inputs,
    outputs: graph.outputs,
    operators: countOperators(graph),
    parameters: {
      constants: constants.length,
      count: constants.reduce((sum, { dims }) => sum + elementCount(dims), 0),
      bytes: constants.reduce((sum, { type, dims }) => sum + byteCount(type, dims), 0),
    },
    layers: findLayers(graph).map((layer) => {
      const { storedWeights, denseStored, ...zeros } = analyze(graph, layer);
      const shape = graph.constants.get(layer.weight)?.dims ?? [];
      return { name: layer.name, shape, ...zeros };
    }),
  };
}

function countOperators(graph: Graph): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { op, domain } of graph.nodes) {
    const name = domain === '' ? op : `${domain}.${op}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}
