import type { Graph } from './graph.js';

/** Where the history lies in a graph's metadata; under this key it is written to ONNX files as well. */
const key = 'onnx.metadata_props:espalier.history';

/** What was done to a model, oldest first: a list of plain objects, as JSON; undefined when nothing is known. */
export function historyOf({ metadata }: Graph): string | undefined {
  return metadata[key];
}

/** The list that {@link historyOf} gives the text of; what is no JSON stays text: a file may say anything. */
export function parseHistory(text: string | undefined): unknown {
  try {
    return text === undefined ? [] : JSON.parse(text);
  } catch {
    return text;
  }
}

/** The graph with one more entry in its history; what is not a list of ours is left behind. */
export function withHistory(graph: Graph, entry: object): Graph {
  const past = parseHistory(historyOf(graph));
  const history = JSON.stringify([...(Array.isArray(past) ? past : []), entry]);
  return { ...graph, metadata: { ...graph.metadata, [key]: history } };
}
