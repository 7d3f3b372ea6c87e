import type { Graph } from './graph.js';

/** Where the history lies in a graph's metadata; under this key it is written to ONNX files as well. */
const key = 'onnx.metadata_props:espalier.history';

/** What was done to a model, oldest first: a list of plain objects, as JSON; undefined when nothing is known. */
export function historyOf({ metadata }: Graph): string | undefined {
  return metadata[key];
}

/** The graph with one more entry in its history; what is not a list of ours is left behind. */
export function withHistory(graph: Graph, entry: object): Graph {
  let past: unknown;
  try {
    past = JSON.parse(historyOf(graph) ?? '[]');
  } catch {
    past = [];
  }
  const history = JSON.stringify([...(Array.isArray(past) ? past : []), entry]);
  return { ...graph, metadata: { ...graph.metadata, [key]: history } };
}
