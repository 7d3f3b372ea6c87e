/**
 * The row-major form of column-major (Fortran) elements.
 * @param bytes the elements, `width` bytes each; the first dim varies fastest
 */
export function toRowMajor(bytes: Uint8Array, dims: readonly number[], width: number): Uint8Array {
  const from = elementsOf(new Uint8Array(bytes), width); // a copy starts a buffer of its own, so it is aligned
  const result = new Uint8Array(bytes.byteLength);
  const to = elementsOf(result, width);
  const strides: number[] = []; // of the column-major elements
  let stride = 1;
  for (const dim of dims) {
    strides.push(stride);
    stride *= dim;
  }
  const index = dims.map(() => 0);
  let source = 0;
  for (let target = 0; target < to.length; target++) {
    to[target] = from[source] as never;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const [dim, step] = [dims[axis] as number, strides[axis] as number];
      const next = (index[axis] as number) + 1;
      source += step;
      if (next < dim) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      source -= dim * step;
    }
  }
  return result;
}

function elementsOf({ buffer }: Uint8Array, width: number) {
  if (width === 1) return new Uint8Array(buffer);
  if (width === 2) return new Uint16Array(buffer);
  return width === 4 ? new Uint32Array(buffer) : new BigUint64Array(buffer);
}
