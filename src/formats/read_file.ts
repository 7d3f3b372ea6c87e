import { closeSync, fstatSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { EspalierError } from '../errors.js';

/** Node reads at most 2 GiB at once. */
const largestRead = 2 ** 30;

/**
 * The bytes of a file of any size, or of a pipe.
 * @param what the file, for messages: `model`
 * @throws EspalierError ERR_ESPALIER_FILE when it cannot be read
 */
export async function readWhole(file: string, what: string): Promise<Uint8Array> {
  try {
    const handle = await open(file);
    try {
      const stats = await handle.stat();
      if (!stats.isFile() || stats.size <= largestRead) return plainView(await readFile(handle));
      const bytes = new Uint8Array(stats.size);
      for (let at = 0; at < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, at, Math.min(largestRead, bytes.length - at), at);
        if (bytesRead === 0) throw new Error(`it ended at byte ${at} of ${bytes.length}`);
        at += bytesRead;
      }
      return bytes;
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw unreadable(file, what, cause);
  }
}

/** The same, at once. */
export function readWholeSync(file: string, what: string): Uint8Array {
  try {
    const descriptor = openSync(file, 'r');
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile() || stats.size <= largestRead) return plainView(readFileSync(descriptor));
      const bytes = new Uint8Array(stats.size);
      for (let at = 0; at < bytes.length; ) {
        const count = readSync(descriptor, bytes, at, Math.min(largestRead, bytes.length - at), at);
        if (count === 0) throw new Error(`it ended at byte ${at} of ${bytes.length}`);
        at += count;
      }
      return bytes;
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw unreadable(file, what, cause);
  }
}

export function unreadable(file: string, what: string, cause: unknown): EspalierError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EspalierError('ERR_ESPALIER_FILE', `Expected a readable ${what} at ${file}: ${reason}`, {
    cause,
  });
}

/** A Buffer's slices are Buffers; those of the view that this gives are plain. */
function plainView({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/**
 * The path of a file that the file `owner` names. It has to lie in owner's folder, and links must not lead out of it: a
 * file from a stranger must not read the machine's other files. Links may lead to where `owner` itself is a link to: the
 * cache of Hugging Face keeps the files of all revisions in one folder, and links to them in a folder for each revision.
 * @param what the file, for messages: `external data`, `shard`
 * @throws EspalierError ERR_ESPALIER_MODEL when it lies elsewhere, _FILE when it is not there
 */
export function pathBeside(owner: string, location: string, what: string): string {
  const folder = path.dirname(owner);
  const refused = (got: string) =>
    new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected a path of ${what} inside the model's folder, got ${got} ${JSON.stringify(location)}`,
    );
  if (path.isAbsolute(location) || path.win32.isAbsolute(location) || location.includes('\0'))
    throw refused('location');
  const file = path.resolve(folder, location);
  if (!isInside(path.resolve(folder), file)) throw refused('location');
  let allowed: readonly string[];
  let target: string;
  try {
    target = realpathSync(file);
    allowed = [realpathSync(folder), path.dirname(realpathSync(owner))];
  } catch (cause) {
    throw unreadable(file, what, cause);
  }
  if (!allowed.some((place) => isInside(place, target))) throw refused('a link that leads out of it at');
  return file;
}

function isInside(folder: string, file: string): boolean {
  const relative = path.relative(folder, file);
  return (
    relative !== '' &&
    relative !== '..' &&
    !relative.startsWith(`..${path.sep}`) &&
    !path.isAbsolute(relative)
  );
}
