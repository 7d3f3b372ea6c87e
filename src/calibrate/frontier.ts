import type { Graph } from '../graph/graph.js';
import { usedValues } from '../graph/order.js';

/** A point of a walk over a graph in node order: what is looked at there, and which nodes change afterwards. */
export interface Stop {
  /** Names of values. */
  readonly views: readonly string[];
  /** Names of nodes that may get other weights here, and not after. */
  readonly nodes: readonly string[];
}

/**
 * For every stop, the values that suffice to compute all that it and later ones look at. None of them depends on a
 * node that changes at this stop or later, so once computed they stay as they are. Each frontier can be computed from
 * the one before it. Inputs of the graph are among them where later nodes read them.
 */
export function frontiersOf(graph: Graph, stops: readonly Stop[]): string[][] {
  const { first, last } = useOfNodes(graph, stops);
  const final = finalStops(graph, stops);
  const readers = new Map<string, number[]>(); // of every value that is no constant
  for (const { name } of graph.inputs) readers.set(name, []);
  graph.nodes.forEach((node, i) => {
    for (const output of node.outputs) if (output !== '') readers.set(output, []);
    for (const name of usedValues(node)) readers.get(name)?.push(i);
  });
  const producers = new Map(graph.nodes.flatMap(({ outputs }, i) => outputs.map((name) => [name, i])));
  const lastViews = new Map(stops.flatMap(({ views }, k) => views.map((name) => [name, k])));
  return stops.map((_, k) => {
    const isDone = (i: number) => (first[i] as number) <= k && (final[i] as number) <= k;
    const isNeeded = (i: number) => !isDone(i) && (last[i] as number) >= k;
    return [...readers.keys()].filter((name) => {
      const producer = producers.get(name);
      if (producer !== undefined && !isDone(producer)) return false;
      return (lastViews.get(name) ?? -1) >= k || readers.get(name)?.some(isNeeded);
    });
  });
}

/** The first and the last stop that need each node; Infinity and -1 for none. */
function useOfNodes(graph: Graph, stops: readonly Stop[]) {
  const uses = new Map<string, { first: number; last: number }>(); // of values
  const use = (name: string, from: number, to: number) => {
    const known = uses.get(name) ?? { first: Number.POSITIVE_INFINITY, last: -1 };
    uses.set(name, { first: Math.min(known.first, from), last: Math.max(known.last, to) });
  };
  stops.forEach(({ views }, k) => {
    for (const name of views) use(name, k, k);
  });
  const first = new Array<number>(graph.nodes.length).fill(Number.POSITIVE_INFINITY);
  const last = new Array<number>(graph.nodes.length).fill(-1);
  for (const [i, node] of [...graph.nodes.entries()].toReversed()) {
    const own = node.outputs.flatMap((name) => uses.get(name) ?? []);
    if (own.length === 0) continue;
    first[i] = Math.min(...own.map((one) => one.first));
    last[i] = Math.max(...own.map((one) => one.last));
    for (const name of usedValues(node)) use(name, first[i] as number, last[i] as number);
  }
  return { first, last };
}

/** The stop at which what each node computes is final: the one after the last that changes it or what it reads. */
function finalStops(graph: Graph, stops: readonly Stop[]): number[] {
  const changes = new Map(stops.flatMap(({ nodes }, k) => nodes.map((name) => [name, k + 1])));
  const values = new Map<string, number>();
  return graph.nodes.map((node) => {
    const stop = Math.max(
      changes.get(node.name) ?? 0,
      ...usedValues(node).map((name) => values.get(name) ?? 0),
    );
    for (const name of node.outputs) values.set(name, stop);
    return stop;
  });
}
