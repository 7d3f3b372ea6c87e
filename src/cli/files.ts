import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type FileHandle, link, lstat, open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { EspalierError } from '../errors.js';
import { fileError } from './io.js';

/** The regular file that a name leads to, through any links. */
interface Existing {
  readonly file: string;
  readonly mode: number;
}

/**
 * Refuses a path that exists, unless `force`; so that a long command fails before its work, not after.
 * @throws EspalierError ERR_ESPALIER_FILE, with `force` too when something other than a regular file is there
 */
export async function checkWritable(file: string, force: boolean): Promise<void> {
  if ((await findExisting(file)) !== undefined && !force) throw exists(file);
}

/** @throws EspalierError ERR_ESPALIER_FILE when the folder that is to hold `file` is not there. */
export async function checkFolder(file: string): Promise<void> {
  const folder = path.dirname(file);
  const found = await stat(folder).catch((cause: unknown) => {
    throw fileError(`a folder for "${file}" at`, folder, cause);
  });
  if (!found.isDirectory())
    throw new EspalierError('ERR_ESPALIER_FILE', `Expected a folder at "${folder}", got a file`);
}

/**
 * Writes a file whole or not at all: to a temporary file in the same folder, which then takes the name. A signal that
 * ends the process takes the temporary file with it.
 * Without `force` an existing file stays as it is, even one that appeared meanwhile. With `force` links are followed,
 * and an existing file keeps its mode.
 * @throws EspalierError ERR_ESPALIER_FILE
 */
export async function writeWhole(
  file: string,
  bytes: Uint8Array | readonly Uint8Array[],
  force: boolean,
): Promise<void> {
  const existing = await findExisting(file);
  if (existing !== undefined && !force) throw exists(file);
  const target = existing?.file ?? file;
  // A short name of its own: one made from the target's could be longer than file systems allow.
  const temporary = path.join(path.dirname(target), `.espalier-${randomBytes(4).toString('hex')}.tmp`);
  const stopWatching = removeOnSignal(temporary);
  try {
    await fill(await open(temporary, 'wx'), bytes, existing?.mode);
    if (force) await rename(temporary, target);
    else await linkOrRename(temporary, target);
  } catch (error) {
    if (error instanceof EspalierError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw exists(file);
    throw fileError('to write', file, error);
  } finally {
    await rm(temporary, { force: true }).catch(() => {}); // the first error is the one to tell
    stopWatching();
  }
}

async function fill(
  handle: FileHandle,
  bytes: Uint8Array | readonly Uint8Array[],
  mode: number | undefined,
): Promise<void> {
  try {
    for (const part of bytes instanceof Uint8Array ? [bytes] : bytes) await handle.writeFile(part);
    if (mode !== undefined) await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Until the returned function is called, SIGINT and SIGTERM remove `file` and then do what they do by default. */
function removeOnSignal(file: string): () => void {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const onSignal = (signal: NodeJS.Signals) => {
    try {
      rmSync(file, { force: true });
    } catch {} // nothing more can be done: the process ends
    stopWatching();
    process.kill(process.pid, signal);
  };
  const stopWatching = () => {
    for (const signal of signals) process.removeListener(signal, onSignal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return stopWatching;
}

/** @throws EspalierError ERR_ESPALIER_FILE when there is something that is not a regular file. */
async function findExisting(file: string): Promise<Existing | undefined> {
  try {
    const found = await lstat(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (found === undefined) return undefined;
    const target = await realpath(file); // fails for a link that leads nowhere
    const stats = await stat(target);
    if (stats.isFile()) return { file: target, mode: stats.mode & 0o7777 };
    throw new EspalierError('ERR_ESPALIER_FILE', `Expected a file to write, got ${kind(stats)} "${file}"`);
  } catch (error) {
    throw error instanceof EspalierError ? error : fileError('a file to write at', file, error);
  }
}

function kind(stats: Awaited<ReturnType<typeof stat>>): string {
  if (stats.isDirectory()) return 'folder';
  if (stats.isFIFO()) return 'named pipe';
  if (stats.isSocket()) return 'socket';
  return 'device';
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
