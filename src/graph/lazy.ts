import type { DataType } from '../tensor.js';
import type { TensorData } from './graph.js';

/**
 * A constant whose bytes are made when something asks for them: those of a weight that lies packed in a file, which most
 * sessions never need. They are kept as long as memory allows.
 */
export function lazyTensor(type: DataType, dims: readonly number[], load: () => Uint8Array): TensorData {
  let kept: WeakRef<Uint8Array> | undefined;
  return {
    type,
    dims,
    get bytes() {
      const known = kept?.deref();
      if (known !== undefined) return known;
      const bytes = load();
      kept = new WeakRef(bytes);
      return bytes;
    },
  };
}
