import { intsAttribute } from '../../graph/attributes.js';
import type { Graph, Node } from '../../graph/graph.js';
import { usedValues } from '../../graph/order.js';

/** Reshape, Transpose, Reshape that together reorder the channels of one axis: index i of `y` is `source[i]` of `x`. */
export interface Shuffle {
  readonly x: string;
  readonly y: string;
  readonly axis: number;
  readonly source: readonly number[];
  readonly nodes: readonly [Node, Node, Node];
}

/**
 * Channel shuffles, by the name of their last node: X. Zhang et al., "ShuffleNet", 2018. Seen as one reordering they
 * bind single channels, where their reshapes alone would bind whole runs of them.
 */
export function findShuffles(
  graph: Graph,
  dims: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, Shuffle> {
  const producers = new Map(
    graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)),
  );
  const uses = new Map<string, number>();
  const used = [...graph.nodes.flatMap(usedValues), ...graph.outputs.map(({ name }) => name)];
  for (const name of used) uses.set(name, (uses.get(name) ?? 0) + 1);
  const found = new Map<string, Shuffle>();
  for (const last of graph.nodes) {
    const transpose = producers.get(last.inputs[0] ?? '');
    const first = producers.get(transpose?.inputs[0] ?? '');
    if (last.op !== 'Reshape' || transpose?.op !== 'Transpose' || first?.op !== 'Reshape') continue;
    const [inner = '', moved = ''] = [first.outputs[0], transpose.outputs[0]];
    if (uses.get(inner) !== 1 || uses.get(moved) !== 1) continue;
    const shuffle = shuffleOf([first, transpose, last], dims);
    if (shuffle !== undefined) found.set(last.name, shuffle);
  }
  return found;
}

function shuffleOf(
  nodes: readonly [Node, Node, Node],
  dims: ReadonlyMap<string, readonly number[]>,
): Shuffle | undefined {
  const [first, transpose, last] = nodes;
  const [x = '', y = ''] = [first.inputs[0], last.outputs[0]];
  const outer = dims.get(x) ?? [];
  const inner = dims.get(first.outputs[0] ?? '') ?? [];
  if (outer.join() !== dims.get(y)?.join() || inner.length <= outer.length) return undefined;
  const axis = outer.findIndex((dim, i) => dim !== inner[i]);
  const parts = inner.slice(axis, axis + inner.length - outer.length + 1);
  const after = inner.slice(axis + parts.length);
  if (axis < 0 || after.join() !== outer.slice(axis + 1).join()) return undefined;
  const perm = intsAttribute(transpose, 'perm') ?? inner.map((_, i) => inner.length - 1 - i);
  const own = perm.slice(axis, axis + parts.length).map((from) => from - axis);
  const inside = own.every((from) => from >= 0 && from < parts.length);
  const outside = perm.every((from, to) => (to >= axis && to < axis + parts.length) || from === to);
  if (!inside || !outside) return undefined;
  return { x, y, axis, source: shuffled(parts, own), nodes };
}

/** Where each index comes from when an axis of `parts` is transposed by `perm`. */
function shuffled(parts: readonly number[], perm: readonly number[]): number[] {
  const strides = parts.map((_, i) => parts.slice(i + 1).reduce((product, part) => product * part, 1));
  let sources = [0];
  for (const from of perm) {
    const [size = 1, stride = 1] = [parts[from], strides[from]];
    sources = sources.flatMap((source) => Array.from({ length: size }, (_, i) => source + i * stride));
  }
  return sources;
}
