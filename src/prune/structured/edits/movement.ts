import { intAttribute, intValue } from '../../../graph/attributes.js';
import { fromNumbers, int64List, readNumbers } from '../../../graph/data.js';
import type { Node } from '../../../graph/graph.js';
import type { Shuffle } from '../shuffles.js';
import { padSpans, resolveAxis, sliceSpans } from '../spans.js';
import { type Edit, type EditContext, helper, newIndices, numbersOf, withInput } from './edit.js';

export const split: Edit = (node, { selection, constant }) => {
  const [x = ''] = node.inputs;
  const axis = resolveAxis(intAttribute(node, 'axis', 0), selection.oldDims(x).length);
  if (!selection.isChanged(x, axis)) return [node];
  const sizes = node.outputs.map((output) => selection.newDims(output)[axis] ?? 0);
  const attributes = new Map([...node.attributes].filter(([name]) => name !== 'num_outputs'));
  return [withInput({ ...node, attributes }, 1, constant(node, 'split', int64List(sizes)))];
};

export const pad: Edit = (node, context) => {
  const { selection, constant } = context;
  const [x = '', given = '', , axes = ''] = node.inputs;
  const [output = ''] = node.outputs;
  if (selection.axesOf(output) === undefined) return [node];
  const spans = padSpans(node, selection.oldDims(x), numbersOf(context, given), numbersOf(context, axes));
  if (spans === undefined) return [node];
  const { begins, ends } = spans;
  const pads = [begins, ends].map((list, side) =>
    list.map((size, axis) => {
      if (size === 0 || !selection.isChanged(output, axis)) return size;
      const edge = (begins[axis] ?? 0) + (selection.oldDims(x)[axis] ?? 0);
      const inside = (old: number) => (side === 0 ? old < size : old >= edge);
      return selection.kept(output, axis).filter(inside).length;
    }),
  );
  const edited = withInput(node, 1, constant(node, 'pads', int64List(pads.flat())));
  return [{ ...edited, inputs: edited.inputs.slice(0, 3) }]; // of all axes now
};

/** Picks by number what is picked by number, with the new numbers. */
export const gather: Edit = (node, { selection, known, constant }) => {
  const [x = '', indices = ''] = node.inputs;
  const [output = ''] = node.outputs;
  const axis = resolveAxis(intAttribute(node, 'axis', 0), selection.oldDims(x).length);
  const data = known.get(indices);
  if (data === undefined || !selection.isChanged(x, axis)) return [node];
  const size = selection.oldDims(x)[axis] ?? 0;
  const numbers = newIndices(selection.kept(x, axis));
  const old = readNumbers(data);
  const picked = Array.from(
    selection.kept(output, axis),
    (place) => numbers.get(resolveAxis(old[place] ?? 0, size)) ?? 0,
  );
  return [withInput(node, 1, constant(node, 'indices', fromNumbers(data.type, [picked.length], picked)))];
};

export const slice: Edit = (node, context) => {
  const { selection, fresh } = context;
  const [x = ''] = node.inputs;
  const [output = ''] = node.outputs;
  const lists = node.inputs.slice(1).map((name) => numbersOf(context, name));
  const spans = sliceSpans(selection.oldDims(x), lists);
  const changed = selection.oldDims(x).flatMap((_, axis) => (selection.isChanged(x, axis) ? [axis] : []));
  const cut = changed.filter((axis) => {
    const span = spans?.[axis];
    return span !== undefined && (span.step !== 1 || span.count !== selection.oldDims(x)[axis]);
  });
  if (spans === undefined || cut.length === 0) return [node];
  // The changed axes one by one, by number; what the node does to the others it still does.
  const nodes: Node[] = [];
  let value = x;
  for (const [i, axis] of cut.entries()) {
    const others = spans.some(
      (span, k) => !cut.includes(k) && (span.count !== selection.oldDims(x)[k] || span.step !== 1),
    );
    const target = i === cut.length - 1 && !others ? output : fresh(node, `axis_${axis}`);
    const { start = 0, step = 1 } = spans[axis] ?? {};
    const numbers = newIndices(selection.kept(x, axis));
    const picked = Array.from(
      selection.kept(output, axis),
      (place) => numbers.get(start + place * step) ?? 0,
    );
    nodes.push(pick(node, value, target, axis, picked, context));
    value = target;
    if (others && i === cut.length - 1) {
      const rest = spans.flatMap((_, k) => (cut.includes(k) ? [] : [k]));
      nodes.push(sliceOf(node, value, rest, spans, context));
    }
  }
  return nodes;
};

/** Consecutive channels by a Slice, which copies nothing where it can; others by a Gather. */
function pick(
  node: Node,
  value: string,
  output: string,
  axis: number,
  picked: readonly number[],
  context: EditContext,
): Node {
  const [first = 0] = picked;
  if (picked.every((index, i) => index === first + i)) {
    const bounds = [[first], [first + picked.length], [axis]].map((list, i) =>
      context.constant(node, ['starts', 'ends', 'axes'][i] ?? '', int64List(list)),
    );
    return helper(node, context, 'Slice', [value, ...bounds], output);
  }
  const indices = context.constant(node, 'indices', int64List(picked));
  return helper(node, context, 'Gather', [value, indices], output, { axis: intValue(axis) });
}

function sliceOf(
  node: Node,
  value: string,
  axes: readonly number[],
  spans: NonNullable<ReturnType<typeof sliceSpans>>,
  context: EditContext,
): Node {
  const ends = axes.map((axis) => {
    const { start, step, count } = spans[axis] as { start: number; step: number; count: number };
    const end = start + step * count;
    return end < 0 ? Number.MIN_SAFE_INTEGER : end; // backwards past the first
  });
  const lists = [
    axes.map((axis) => spans[axis]?.start ?? 0),
    ends,
    axes,
    axes.map((axis) => spans[axis]?.step ?? 1),
  ];
  const inputs = lists.map((list, i) =>
    context.constant(node, ['starts', 'ends', 'axes', 'steps'][i] ?? '', int64List(list)),
  );
  return { ...node, inputs: [value, ...inputs] };
}

/** A shuffle of channels of which some are gone is none any more: their numbers say the new order. */
export function shuffle(
  { x, y, axis, source, nodes: [, , last] }: Shuffle,
  context: EditContext,
): readonly Node[] {
  const numbers = newIndices(context.selection.kept(x, axis));
  const picked = Array.from(context.selection.kept(y, axis), (place) => numbers.get(source[place] ?? 0) ?? 0);
  return [pick(last, x, y, axis, picked, context)];
}
