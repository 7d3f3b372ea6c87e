import { intAttribute, intsAttribute } from '../graph/attributes.js';
import { readNumbers } from '../graph/data.js';
import type { Node, StaticGraph } from '../graph/graph.js';
import { rowMajorStrides } from '../graph/operators/strided.js';

/** Part of an axis: `size` elements, `stride` apart. */
interface Run {
  readonly size: number;
  readonly stride: number;
}

/**
 * A value as a walk over another one that lies in memory: what Transpose, Reshape, Split, Slice, Squeeze, Unsqueeze,
 * Expand and Gather of one index make of it. An axis is a list of runs, outermost first, because a Reshape may join axes that are no neighbours.
 */
export interface View {
  readonly value: string;
  readonly start: number;
  readonly axes: readonly (readonly Run[])[];
}

/** The view that a value is, through as many nodes as only move elements. */
export function viewOf(graph: StaticGraph, producers: ReadonlyMap<string, Node>, value: string): View {
  const node = producers.get(value);
  const seen = node === undefined ? undefined : through(graph, producers, node, value);
  if (seen !== undefined) return seen;
  const dims = graph.values.get(value)?.dims ?? [];
  const strides = rowMajorStrides(dims);
  return { value, start: 0, axes: dims.map((size, axis) => joined([{ size, stride: strides[axis] ?? 1 }])) };
}

function through(
  graph: StaticGraph,
  producers: ReadonlyMap<string, Node>,
  node: Node,
  output: string,
): View | undefined {
  const moving = moves[node.op];
  if (moving === undefined) return undefined;
  const [input = ''] = node.inputs;
  if (graph.values.get(input)?.dims.includes(0)) return undefined;
  const dims = (name: string) => graph.values.get(name)?.dims ?? [];
  const numbers = (index: number) => {
    const data = graph.constants.get(node.inputs[index] ?? '');
    return data === undefined ? undefined : readNumbers(data);
  };
  const view = viewOf(graph, producers, input);
  return moving({ node, view, from: dims(input), to: dims(output), output, dims, numbers });
}

interface Move {
  readonly node: Node;
  readonly view: View;
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly output: string;
  readonly dims: (name: string) => readonly number[];
  readonly numbers: (index: number) => readonly number[] | undefined;
}

const moves: Readonly<Record<string, (move: Move) => View | undefined>> = {
  Identity: ({ view }) => view,
  Reshape: reshape,
  Flatten: reshape,
  Squeeze: reshape,
  Unsqueeze: reshape,
  Transpose: ({ node, view, from }) => {
    const order = intsAttribute(node, 'perm') ?? from.map((_, axis) => from.length - 1 - axis);
    return { ...view, axes: order.map((axis) => view.axes[axis] ?? []) };
  },
  Expand: ({ view, from, to }) => {
    const added = to.length - from.length;
    const axes = to.map((size, axis) => {
      const own = view.axes[axis - added] ?? [];
      return size === from[axis - added] ? own : [{ size, stride: 0 }];
    });
    return { ...view, axes };
  },
  Split: ({ node, view, from, output, dims }) => {
    const axis = frontAxis(intAttribute(node, 'axis', 0), from.length);
    let first = 0;
    for (const name of node.outputs) {
      const size = dims(name)[axis] ?? 0;
      if (name === output) return part(view, axis, first, size);
      first += size;
    }
    return undefined;
  },
  Gather: ({ node, view, from, dims, numbers }) => {
    const index = numbers(1);
    if (index?.length !== 1 || dims(node.inputs[1] ?? '').length > 0) return undefined;
    const axis = frontAxis(intAttribute(node, 'axis', 0), from.length);
    const at = frontAxis(index[0] ?? 0, from[axis] ?? 0);
    if (at < 0 || at >= (from[axis] ?? 0)) return undefined; // the run says so
    const row = part(view, axis, at, 1);
    return row && { ...row, axes: row.axes.toSpliced(axis, 1) };
  },
  Slice: ({ view, from, to, numbers }) => {
    const [starts, axes, steps] = [numbers(1), numbers(3), numbers(4)];
    if (starts === undefined || (steps ?? []).some((step) => step !== 1)) return undefined;
    let sliced: View | undefined = view;
    for (const [i, start] of starts.entries()) {
      const axis = frontAxis(axes?.[i] ?? i, from.length);
      const size = from[axis] ?? 0;
      const first = Math.min(Math.max(start < 0 ? start + size : start, 0), size);
      sliced = sliced && part(sliced, axis, first, to[axis] ?? 0);
    }
    return sliced;
  },
};

function frontAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** `size` neighbours of one axis, if it is one run. */
function part(view: View, axis: number, first: number, size: number): View | undefined {
  const [run = { size: 1, stride: 0 }, ...others] = view.axes[axis] ?? [];
  if (others.length > 0) return undefined;
  const axes = view.axes.with(axis, joined([{ size, stride: run.stride }]));
  return { ...view, start: view.start + first * run.stride, axes };
}

function reshape({ view, to }: Move): View | undefined {
  const runs = view.axes.flat();
  const axes: Run[][] = [];
  for (const dim of to) {
    const own: Run[] = [];
    for (let left = dim; left > 1; ) {
      const run = runs.shift();
      if (run === undefined) return undefined;
      if (left % run.size === 0) {
        own.push(run);
        left /= run.size;
      } else if (run.size % left === 0) {
        const inner = run.size / left;
        own.push({ size: left, stride: run.stride * inner });
        runs.unshift({ size: inner, stride: run.stride });
        left = 1;
      } else return undefined;
    }
    axes.push(joined(own));
  }
  return { ...view, axes };
}

/** Runs without those of one element, and neighbours that are one run as one. */
function joined(runs: readonly Run[]): Run[] {
  const result: Run[] = [];
  for (const run of runs) {
    const before = result.at(-1);
    if (run.size === 1) continue;
    if (before !== undefined && before.stride === run.stride * run.size)
      result[result.length - 1] = { size: before.size * run.size, stride: run.stride };
    else result.push(run);
  }
  return result;
}
