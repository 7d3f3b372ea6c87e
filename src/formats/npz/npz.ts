import { EspalierError } from '../../errors.js';
import type { TensorData } from '../../graph/graph.js';
import { decodeNpy, encodeNpy } from './npy.js';
import { unzip } from './zip.js';
import { zip } from './zip_write.js';

export interface NpzOptions {
  /** Largest sum of the sizes of the unpacked arrays. Default: 4 GiB. */
  readonly maxBytes?: number;
}

const suffix = '.npy';

/**
 * The arrays of a .npz archive by name, as `numpy.savez` and `numpy.savez_compressed` write them.
 * @param what the file, for messages; a path reads well
 * @throws EspalierError ERR_ESPALIER_MODEL, or ERR_ESPALIER_UNSUPPORTED for types that espalier does not store and for
 *   archives that unpack to more than `maxBytes`
 */
export function decodeNpz(
  bytes: Uint8Array,
  what = 'the file',
  options: NpzOptions = {},
): Map<string, TensorData> {
  const { maxBytes = 2 ** 32 } = options;
  const arrays = new Map<string, TensorData>();
  for (const [file, content] of unzip(bytes, maxBytes, what)) {
    if (!file.endsWith(suffix)) {
      throw new EspalierError(
        'ERR_ESPALIER_MODEL',
        `Expected ${what} to hold only ${suffix} files, got ${JSON.stringify(file)}`,
      );
    }
    const name = file.slice(0, -suffix.length);
    arrays.set(name, decodeNpy(content, `array ${JSON.stringify(name)} of ${what}`));
  }
  return arrays;
}

/**
 * A .npz archive of tensors, not compressed, as `numpy.savez` writes it; bfloat16 becomes float32, which is exact.
 * @throws EspalierError ERR_ESPALIER_UNSUPPORTED beyond 4 GiB, ERR_ESPALIER_SHAPE when bytes do not fit dims
 */
export function encodeNpz(tensors: ReadonlyMap<string, TensorData>): Uint8Array {
  return zip(new Map([...tensors].map(([name, tensor]) => [`${name}${suffix}`, encodeNpy(tensor)])));
}
