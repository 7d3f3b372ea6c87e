import { elementCount } from '../../tensor.js';

/** Steps, in elements, from one index to the next along each axis of a row-major tensor. */
export function rowMajorStrides(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1);
  for (let axis = dims.length - 2; axis >= 0; axis--)
    strides[axis] = (strides[axis + 1] ?? 1) * (dims[axis + 1] ?? 1);
  return strides;
}

/** The dims two tensors broadcast to (https://github.com/onnx/onnx/blob/main/docs/Broadcasting.md), if they do. */
export function broadcastDims(a: readonly number[], b: readonly number[]): number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const dims: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return undefined;
    dims.push(left === 1 ? right : left);
  }
  return dims;
}

/** Strides that read a tensor of `dims` as if it had the dims `to` that it broadcasts to: 0 where it repeats. */
export function broadcastStrides(dims: readonly number[], to: readonly number[]): number[] {
  const strides = rowMajorStrides(dims);
  return to.map((_, axis) => {
    const own = axis - to.length + dims.length;
    return own < 0 || dims[own] === 1 ? 0 : (strides[own] ?? 0);
  });
}

/**
 * Calls `visit(position, offsets)` for each element of `dims` in row-major order; `offsets[k]` is the element's offset
 * by `strides[k]`. The array is reused between calls.
 */
export function walk(
  dims: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (position: number, offsets: readonly number[]) => void,
): void {
  const count = elementCount(dims);
  const index = new Array<number>(dims.length).fill(0);
  const offsets = new Array<number>(strides.length).fill(0);
  for (let position = 0; position < count; position++) {
    visit(position, offsets);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      const wraps = next === dims[axis];
      index[axis] = wraps ? 0 : next;
      for (let k = 0; k < strides.length; k++) {
        offsets[k] = (offsets[k] ?? 0) + (strides[k]?.[axis] ?? 0) * (wraps ? 1 - next : 1);
      }
      if (!wraps) break;
    }
  }
}

/** Where a tensor lies: `offset` and `strides` in elements. */
export interface Layout {
  readonly offset: number;
  readonly strides: readonly number[];
}

/** Copies elements of `width` bytes: `dims` says how many, the layouts where from and where to. */
export function copyStrided(
  dims: readonly number[],
  width: number,
  source: Uint8Array,
  from: Layout,
  target: Uint8Array,
  to: Layout,
): void {
  if (elementCount(dims) === 0) return; // though there may be any number of runs of no elements
  // The longest run of trailing axes that is contiguous on both sides is copied in one go.
  let outer = dims.length;
  let run = 1;
  while (outer > 0 && from.strides[outer - 1] === run && to.strides[outer - 1] === run)
    run *= dims[--outer] ?? 1;
  const bytes = run * width;
  walk(dims.slice(0, outer), [from.strides.slice(0, outer), to.strides.slice(0, outer)], (_, offsets) => {
    const start = (from.offset + (offsets[0] ?? 0)) * width;
    const end = (to.offset + (offsets[1] ?? 0)) * width;
    if (bytes <= 8) for (let i = 0; i < bytes; i++) target[end + i] = source[start + i] ?? 0;
    else target.set(source.subarray(start, start + bytes), end);
  });
}

/** The elements at `from`, `dims` of them, as a row-major tensor. */
export function gatherStrided(
  dims: readonly number[],
  width: number,
  source: Uint8Array,
  from: Layout,
): Uint8Array {
  const target = new Uint8Array(elementCount(dims) * width);
  copyStrided(dims, width, source, from, target, { offset: 0, strides: rowMajorStrides(dims) });
  return target;
}
