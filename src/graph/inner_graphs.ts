import type { Graph } from './graph.js';

/** A graph and all graphs in the attributes of its nodes, from the outside in. */
export function* allGraphs(graph: Graph): Generator<Graph> {
  const waiting = [graph];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    yield next;
    for (const { attributes } of next.nodes) {
      for (const attribute of attributes.values())
        if (attribute.kind === 'graph') waiting.push(attribute.value);
    }
  }
}
