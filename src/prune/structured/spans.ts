import { choiceAttribute } from '../../graph/attributes.js';
import type { Node } from '../../graph/graph.js';

/** An axis or index counted from the front. */
export function resolveAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

export interface Span {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/**
 * What a Slice takes along each axis, of known inputs 1 to 4; undefined when starts or ends are not known. The graph
 * was specialised before, so they fit.
 */
export function sliceSpans(
  dims: readonly number[],
  [starts, ends, axes, steps]: readonly (readonly number[] | undefined)[],
): Span[] | undefined {
  if (starts === undefined || ends === undefined) return undefined;
  const spans: Span[] = dims.map((count) => ({ start: 0, step: 1, count }));
  for (const [i, given] of starts.entries()) {
    const axis = resolveAxis(axes?.[i] ?? i, dims.length);
    const size = dims[axis] ?? 0;
    const step = steps?.[i] ?? 1;
    const [least, most] = step > 0 ? [0, size] : [-1, size - 1];
    const clamp = (value: number) => Math.max(least, Math.min(most, resolveAxis(value, size)));
    const start = clamp(given);
    spans[axis] = { start, step, count: Math.max(0, Math.ceil((clamp(ends[i] ?? 0) - start) / step)) };
  }
  return spans;
}

/** How many elements a Pad of constant mode adds before each axis, and how many after; undefined for other ones. */
export function padSpans(
  node: Node,
  dims: readonly number[],
  pads: readonly number[] | undefined,
  axes: readonly number[] | undefined,
): { readonly begins: readonly number[]; readonly ends: readonly number[] } | undefined {
  const mode = choiceAttribute(node, 'mode', ['constant', 'reflect', 'edge', 'wrap'], 'constant');
  const padded = axes ?? dims.map((_, axis) => axis);
  if (mode !== 'constant' || pads === undefined || pads.some((pad) => pad < 0)) return undefined;
  const begins = dims.map(() => 0);
  const ends = dims.map(() => 0);
  for (const [i, given] of padded.entries()) {
    const axis = resolveAxis(given, dims.length);
    begins[axis] = pads[i] ?? 0;
    ends[axis] = pads[i + padded.length] ?? 0;
  }
  return { begins, ends };
}
