import type { Node } from '../../graph/graph.js';
import { type PlanBuilder, unsupported } from '../builder.js';
import { emitCopy } from './movement.js';
import { splitDims } from './operands.js';

export type MirrorMode = 'reflect' | 'edge' | 'wrap';

/** The elements that an end of an axis of `size` is padded by: the first one's index, and the step to the next. */
function mirrored(
  mode: MirrorMode,
  size: number,
  count: number,
  isFront: boolean,
): [start: number, step: number] {
  if (mode === 'edge') return [isFront ? 0 : size - 1, 0];
  if (mode === 'wrap') return [isFront ? size - count : 0, 1];
  return [isFront ? count : size - 2, -1];
}

/**
 * Padding by the input's own elements, one axis after the other, so that corners are padding of padding: the input in
 * the middle, and a strided copy of its own elements at each end.
 * @param before elements in front of each axis; `after` behind it
 */
export function emitMirroredPad(
  builder: PlanBuilder,
  node: Node,
  mode: MirrorMode,
  output: string,
  before: readonly number[],
  after: readonly number[],
): void {
  const x = node.inputs[0] ?? '';
  const { type, dims } = builder.typeOf(x);
  const axes = [...dims.keys()].filter((axis) => (before[axis] ?? 0) !== 0 || (after[axis] ?? 0) !== 0);
  let source = x;
  let current = dims;
  for (const [i, axis] of axes.entries()) {
    const [outer, size, inner] = splitDims(current, axis);
    const [front, behind] = [before[axis] ?? 0, after[axis] ?? 0];
    const most = mode === 'reflect' ? size - 1 : mode === 'wrap' ? size : Number.POSITIVE_INFINITY;
    if (front < 0 || behind < 0 || Math.max(front, behind) > most)
      throw unsupported(node, `padding an axis of ${size} by ${front} and ${behind} in mode ${mode}`);
    const padded = front + size + behind;
    current = current.with(axis, padded);
    const target = i === axes.length - 1 ? output : builder.temporary(type, current);
    const copy = (count: number, [start, step]: readonly [number, number], yStart: number) =>
      emitCopy(builder, node, source, target, {
        dims: [outer, count, inner],
        xStrides: [size * inner, step * inner, 1],
        yStrides: [padded * inner, inner, 1],
        xStart: count === 0 ? 0 : start * inner,
        yStart: yStart * inner,
      });
    copy(front, mirrored(mode, size, front, true), 0);
    copy(size, [0, 1], front);
    copy(behind, mirrored(mode, size, behind, false), front + size);
    source = target;
  }
}
