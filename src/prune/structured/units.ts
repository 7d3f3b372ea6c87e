import type { GroupAxis } from './groups.js';
import type { Pin, Positions } from './positions.js';

/** Sets of positions that lie along the same axes, as often along each: they can stand for each other. */
export interface AlikeUnits {
  readonly count: number;
  readonly axes: readonly GroupAxis[];
  readonly pin: Pin | undefined;
  readonly head: boolean;
}

/**
 * The sets of positions that touch an axis for which `isScored` holds, gathered by likeness. Works on flat arrays, for
 * a network has a position for every channel of every value.
 */
export function alikeUnits(
  positions: Positions,
  isScored: (value: string, axis: number) => boolean,
): AlikeUnits[] {
  const axes = [...positions.axes()];
  const { lists, ends } = listSets(positions, axes, isScored);
  const axisOf = new Int32Array(positions.count);
  for (const [id, { start, size }] of axes.entries()) axisOf.fill(id, start, start + size);
  const alike = new Map<string, number[]>();
  for (const root of ends.keys()) {
    const places = runsOf(root).map(({ id, length }) => `${id}x${length}`);
    const key = `${places.join()} ${positions.pinOf(root)?.reason}`;
    const list = alike.get(key);
    if (list === undefined) alike.set(key, [root]);
    else list.push(root);
  }
  return [...alike.values()].map((roots) => {
    const [first = 0] = roots;
    const joined = runsOf(first).map(({ id, offset, length }): GroupAxis => {
      const { value, axis, start } = axes[id] as (typeof axes)[number];
      const indices = new Int32Array(roots.length * length);
      for (const [u, root] of roots.entries()) {
        const from = beginOf(root) + offset;
        for (let k = 0; k < length; k++) indices[u * length + k] = (lists[from + k] as number) - start;
      }
      return { value, axis, perUnit: length, indices };
    });
    return { count: roots.length, axes: joined, pin: positions.pinOf(first), head: positions.isHead(first) };
  });

  function beginOf(root: number): number {
    return (ends.get(root) ?? 0) - positions.sizeOf(root);
  }

  /** The axes that a set lies along, in order: `length` of its positions from its `offset`-th on. */
  function runsOf(root: number): { id: number; offset: number; length: number }[] {
    const begin = beginOf(root);
    const runs: { id: number; offset: number; length: number }[] = [];
    for (let at = begin; at < (ends.get(root) ?? 0); at++) {
      const id = axisOf[lists[at] as number] as number;
      const last = runs.at(-1);
      if (last?.id === id) last.length++;
      else runs.push({ id, offset: at - begin, length: 1 });
    }
    return runs;
  }
}

/** All positions of each set one after another, ascending: `ends` says where each set ends in `lists`. */
function listSets(
  positions: Positions,
  axes: readonly {
    readonly value: string;
    readonly axis: number;
    readonly size: number;
    readonly start: number;
  }[],
  isScored: (value: string, axis: number) => boolean,
): { lists: Int32Array; ends: Map<number, number> } {
  const ends = new Map<number, number>();
  let total = 0;
  for (const { value, axis, size, start } of axes) {
    if (!isScored(value, axis)) continue;
    for (let i = start; i < start + size; i++) {
      const root = positions.find(i);
      if (ends.has(root)) continue;
      ends.set(root, total);
      total += positions.sizeOf(root);
    }
  }
  const lists = new Int32Array(total);
  for (let position = 0; position < positions.count; position++) {
    const root = positions.find(position);
    const end = ends.get(root);
    if (end === undefined) continue;
    lists[end] = position;
    ends.set(root, end + 1);
  }
  return { lists, ends };
}
