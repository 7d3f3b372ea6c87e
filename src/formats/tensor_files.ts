import path from 'node:path';
import { EspalierError } from '../errors.js';
import type { TensorData } from '../graph/graph.js';
import { decodeNpy, decodeNpz, npyMagic } from './npz/index.js';
import { readWhole } from './read_file.js';
import { decodeSafetensors, isSafetensors, readSafetensors } from './safetensors/index.js';

export const tensorFileFormats = ['safetensors', 'npz', 'npy'] as const;
export type TensorFileFormat = (typeof tensorFileFormats)[number];

/** The format that the first bytes of a file say, whatever its name; undefined when none of these does. */
export function tensorFileFormat(bytes: Uint8Array): TensorFileFormat | undefined {
  if (startsWith(bytes, npyMagic)) return 'npy';
  if (startsWith(bytes, Buffer.from('PK\x03\x04')) || startsWith(bytes, Buffer.from('PK\x05\x06')))
    return 'npz';
  return isSafetensors(bytes) ? 'safetensors' : undefined;
}

/**
 * The tensors of a .safetensors, .npz or .npy file, told apart by their content, or of the shards that a
 * `.safetensors.index.json` names. The one array of a .npy file has the file's name without `.npy`.
 * @throws EspalierError ERR_ESPALIER_FILE when a file cannot be read, ERR_ESPALIER_MODEL when it is none of these or
 *   damaged, ERR_ESPALIER_UNSUPPORTED for types that espalier does not store
 */
export async function readTensors(file: string): Promise<ReadonlyMap<string, TensorData>> {
  if (file.endsWith('.json')) return (await readSafetensors(file)).tensors;
  return decodeTensors(await readWhole(file, 'file of tensors'), file);
}

/** {@link readTensors} of a file's bytes, which must not change while the tensors are in use. */
export function decodeTensors(bytes: Uint8Array, file: string): ReadonlyMap<string, TensorData> {
  switch (tensorFileFormat(bytes)) {
    case 'npy':
      return new Map([[path.basename(file, '.npy'), decodeNpy(bytes, file)]]);
    case 'npz':
      return decodeNpz(bytes, file);
    case 'safetensors':
      return decodeSafetensors(bytes, file).tensors;
    case undefined:
      throw new EspalierError(
        'ERR_ESPALIER_MODEL',
        `Expected ${file} to be a safetensors, .npz or .npy file, got other bytes`,
      );
  }
}

function startsWith(bytes: Uint8Array, magic: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(0, magic.length), magic) === 0;
}
