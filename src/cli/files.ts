import { randomUUID } from 'node:crypto';
import { link, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { EspalierError } from '../errors.js';
import { fileError } from './io.js';

/**
 * Refuses a path that exists, unless `force`; so that a long command fails before its work, not after.
 * @throws EspalierError ERR_ESPALIER_FILE
 */
export async function checkWritable(file: string, force: boolean): Promise<void> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw fileError('a file to write at', file, error);
  });
  if (found?.isDirectory())
    throw new EspalierError('ERR_ESPALIER_FILE', `Expected a file to write, got folder "${file}"`);
  if (found !== undefined && !force) throw exists(file);
}

/**
 * Writes a file whole or not at all: to a temporary file in the same folder, which then takes the name.
 * Without `force` an existing file stays as it is, even one that appeared meanwhile.
 * @throws EspalierError ERR_ESPALIER_FILE
 */
export async function writeWhole(file: string, bytes: Uint8Array, force: boolean): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}.tmp`);
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (force) await rename(temporary, file);
    else await linkOrRename(temporary, file);
  } catch (error) {
    if (error instanceof EspalierError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw exists(file);
    throw fileError('to write', file, error);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** A link never replaces a file; where the file system has no links, a check and a rename must do. */
async function linkOrRename(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
    await checkWritable(to, false);
    await rename(from, to);
  }
}

function exists(file: string): EspalierError {
  return new EspalierError(
    'ERR_ESPALIER_FILE',
    `Expected no file at "${file}", got one; --force replaces it`,
  );
}
