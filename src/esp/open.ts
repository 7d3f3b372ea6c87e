import { statSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { checkHash, decodeEsp, type EspFile, isCompiled, readHeader } from '../formats/esp/index.js';
import { decodeHeader, headerEnd, isSafetensors } from '../formats/safetensors/index.js';
import { loadAddon, type NativeModelFile } from '../native/addon.js';
import { StoredModel } from './stored_model.js';

/**
 * Files of at most so many bytes are read and checked whole. Larger ones are mapped, and only their head is checked: to
 * check all would be to read all.
 */
const smallFile = 4 * 2 ** 20;

/** A compiled model that is open. */
export interface OpenedEsp extends EspFile {
  readonly stored: StoredModel;
  readonly file: NativeModelFile;
}

export interface OpenOptions {
  /** Whether a large file is mapped, instead of read. Default: true. */
  readonly mapFile?: boolean | undefined;
  /** Whether all of it is checked against its hashes, however large it is. */
  readonly verify?: boolean;
}

function isLarge(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > smallFile;
}

/** Whether the model is a compiled one: by its first bytes, so that its name does not matter. A pipe never is. */
export async function isEsp(model: string | Uint8Array): Promise<boolean> {
  if (typeof model !== 'string') return isSafetensors(model);
  // Without opening what can be opened only once. Whoever reads it will say what is wrong.
  const found = await stat(model).catch(() => undefined);
  if (found?.isFile() !== true) return false;
  const handle = await open(model).catch(() => undefined);
  if (handle === undefined) return false;
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(16), 0, 16, 0);
    return isSafetensors(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

/** Whether the file is a compiled model and not another safetensors file. */
export async function isCompiledFile(path: string): Promise<boolean> {
  if (!(await isEsp(path))) return false;
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const read = async (length: number) => (await handle.read(new Uint8Array(length), 0, length, 0)).buffer;
    return isCompiled(decodeHeader(await read(headerEnd(await read(8), size, path)), size, path));
  } catch {
    return false; // a damaged file is one for whoever reads it
  } finally {
    await handle.close();
  }
}

/**
 * Opens a compiled model. A path's file is shared with all other sessions that use it as it is now; bytes are copied.
 * @throws EspalierError ERR_ESPALIER_FILE, _MODEL, _UNSUPPORTED, _NATIVE
 */
export function openEsp(model: string | Uint8Array, options: OpenOptions = {}): OpenedEsp {
  const addon = loadAddon();
  const what = typeof model === 'string' ? model : 'the model';
  const map = typeof model === 'string' && options.mapFile !== false && isLarge(model);
  const file = new addon.NativeModelFile(model, map);
  const opened = decodeEsp(file, what, (packed) => {
    const dense = new Float32Array(packed.rows * packed.cols);
    addon.unpackWeights(packed, dense);
    return dense;
  });
  if (file.size <= smallFile || options.verify === true)
    checkHash(file, readHeader(file, what), 'body', what);
  return { ...opened, stored: new StoredModel(opened), file };
}
