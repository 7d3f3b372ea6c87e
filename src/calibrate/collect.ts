import type { Graph } from '../graph/graph.js';
import type { Samples } from './samples.js';
import { SampleWalk, type Values } from './walk.js';

/**
 * Calls `visit` with the named values of a graph for one sample after the other; no sample's values outlive its visit.
 * Of the graph only what computes them runs.
 */
export async function forEachSample(
  graph: Graph,
  names: readonly string[],
  samples: Samples,
  threads: number,
  visit: (values: Values, index: number) => void | Promise<void>,
): Promise<void> {
  const walk = new SampleWalk(graph, samples, [{ views: names, nodes: [] }], {
    threads,
    keep: 0,
    free: false,
  });
  await walk.at(0, [graph], ([values], index) => visit(values as Values, index));
}
