import type { TensorData } from '../../graph/graph.js';
import { decodeHeader } from './header.js';

/** What a safetensors file holds. */
export interface SafetensorsFile {
  /** In the order of their data. */
  readonly tensors: ReadonlyMap<string, TensorData>;
  /** `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The tensors of a safetensors file, as views on `bytes`, which must not change while they are in use.
 * @param what the file, for messages; a path reads well
 * @throws EspalierError ERR_ESPALIER_MODEL when the bytes are no valid file, ERR_ESPALIER_UNSUPPORTED for types that
 *   espalier does not store (8-bit floats, complex numbers)
 */
export function decodeSafetensors(bytes: Uint8Array, what = 'the file'): SafetensorsFile {
  const { entries, metadata, dataStart } = decodeHeader(bytes, bytes.byteLength, what);
  const tensors = new Map<string, TensorData>();
  for (const [name, { type, dims, begin, end }] of entries) {
    const view = new Uint8Array(bytes.buffer, bytes.byteOffset + dataStart + begin, end - begin);
    tensors.set(name, { type, dims, bytes: view });
  }
  return { tensors, metadata };
}
