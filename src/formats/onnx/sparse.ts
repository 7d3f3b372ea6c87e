import type { TensorData } from '../../graph/graph.js';
import { codeOfType } from '../../graph/type_codes.js';
import { elementCount } from '../../tensor.js';
import { largestUnpackedRatio } from '../unpacked_memory.js';
import type { SparseTensorProto } from './schema.js';
import { fromBigInt } from './wire.js';

/** The first IR version with sparse initializers. */
export const sparseIrVersion = 6n;

/** Bytes that a value which is not zero takes: itself, and its position as an int64. */
const bytesPerValue = 4 + 8;

/**
 * A float32 constant as its values that are not zero and their positions in it, row-major; undefined when that is no
 * smaller, or so much smaller that no reader would make it dense again. It is the same constant to the last bit: -0
 * counts as a value.
 */
export function writeSparseTensor(name: string, data: TensorData): SparseTensorProto | undefined {
  const { type, dims, bytes } = data;
  if (type !== 'float32') return undefined;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, elementCount(dims));
  const count = words.reduce((sum, word) => sum + (word === 0 ? 0 : 1), 0);
  const stored = count * bytesPerValue;
  if (stored >= bytes.byteLength || stored * largestUnpackedRatio < bytes.byteLength) return undefined;
  const values = new Uint32Array(count);
  const positions = new BigInt64Array(count);
  let next = 0;
  for (const [i, word] of words.entries()) {
    if (word === 0) continue;
    values[next] = word;
    positions[next++] = BigInt(i);
  }
  const wireDims = (own: readonly number[]) => own.map((dim) => fromBigInt(BigInt(dim)));
  return {
    values: {
      name,
      dims: wireDims([count]),
      data_type: codeOfType.float32,
      raw_data: new Uint8Array(values.buffer),
    },
    indices: {
      dims: wireDims([count]),
      data_type: codeOfType.int64,
      raw_data: new Uint8Array(positions.buffer),
    },
    dims: wireDims(dims),
  };
}
