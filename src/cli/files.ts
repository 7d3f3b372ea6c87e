import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import {
  access,
  constants,
  type FileHandle,
  link,
  lstat,
  open,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import path from 'node:path';
import { EspalierError } from '../errors.js';
import { fileError } from './io.js';

/** The regular file that a name leads to, through any links. */
interface Existing {
  readonly file: string;
  readonly mode: number;
}

/**
 * Refuses a path that could not be written, so that a long command fails before its work, not after.
 * @throws EspalierError ERR_ESPALIER_FILE as {@link checkFolder}, when a file is there already and `force` is not given,
 *   and with `force` too when what is there is no regular file
 */
export async function checkOutput(file: string, force: boolean): Promise<void> {
  await checkFolder(file);
  await checkFree(file, force);
}

async function checkFree(file: string, force: boolean): Promise<void> {
  if ((await findExisting(file)) !== undefined && !force) throw exists(file);
}

/** @throws EspalierError ERR_ESPALIER_ARGUMENT when two options name one file to write, of which one would be lost. */
export function checkDistinct(files: Readonly<Record<string, string | undefined>>): void {
  const known = new Map<string, string>();
  for (const [option, file] of Object.entries(files)) {
    if (file === undefined) continue;
    const resolved = path.resolve(file);
    const other = known.get(resolved);
    if (other !== undefined)
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected ${other} and ${option} to name two files, got "${file}" for both`,
      );
    known.set(resolved, option);
  }
}

/**
 * Refuses a path in whose folder nothing can be written: the file is written beside its place first. What exists there
 * may be a link to a file elsewhere.
 * @throws EspalierError ERR_ESPALIER_FILE, also when the folder is not there
 */
export async function checkFolder(file: string): Promise<void> {
  const folder = path.dirname(file);
  const found = await stat(folder).catch((cause: unknown) => {
    throw fileError(`a folder for "${file}" at`, folder, cause);
  });
  if (!found.isDirectory())
    throw new EspalierError('ERR_ESPALIER_FILE', `Expected a folder at "${folder}", got a file`);
  const target = path.dirname((await findExisting(file))?.file ?? file);
  await access(target, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw fileError(`a folder for "${file}" that can be written to at`, target, cause);
  });
}

/** What is to be in files, in pieces, by name. */
export type FileContents = ReadonlyMap<string, readonly Uint8Array[]>;

/** {@link writeAll} for one file. */
export function writeWhole(
  file: string,
  bytes: Uint8Array | readonly Uint8Array[],
  force: boolean,
): Promise<void> {
  return writeAll(new Map([[file, bytes instanceof Uint8Array ? [bytes] : bytes]]), force);
}

/** A file that is to be written, and the one that holds its bytes until all are there. */
interface Pending {
  readonly file: string;
  readonly target: string;
  readonly temporary: string;
  readonly mode: number | undefined;
}

/**
 * Writes files whole or not at all: to temporary files in the same folders, which take the names when all are written,
 * in order: the last file is the one that names the others. A signal that ends the process takes the temporary files
 * with it.
 * Without `force` an existing file stays as it is, even one that appeared meanwhile. With `force` links are followed,
 * and an existing file keeps its mode.
 * @throws EspalierError ERR_ESPALIER_FILE
 */
export async function writeAll(files: FileContents, force: boolean): Promise<void> {
  const pending: Pending[] = [];
  for (const file of files.keys()) {
    const existing = await findExisting(file);
    if (existing !== undefined && !force) throw exists(file);
    const target = existing?.file ?? file;
    // A short name of its own: one made from the target's could be longer than file systems allow.
    const temporary = path.join(path.dirname(target), `.espalier-${randomBytes(4).toString('hex')}.tmp`);
    pending.push({ file, target, temporary, mode: existing?.mode });
  }
  const temporaries = pending.map(({ temporary }) => temporary);
  const stopWatching = removeOnSignal(temporaries);
  try {
    for (const { file, temporary, mode } of pending) {
      await telling(file, async () => fill(await open(temporary, 'wx'), files.get(file) ?? [], mode));
    }
    for (const { file, target, temporary } of pending)
      await telling(file, () => (force ? rename(temporary, target) : linkOrRename(temporary, target)));
  } finally {
    for (const temporary of temporaries) await rm(temporary, { force: true }).catch(() => {}); // the first error is the one to tell
    stopWatching();
  }
}

/** Does a part of the work on a file, whose name its errors say. */
async function telling(file: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof EspalierError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw exists(file);
    throw fileError('to write', file, error);
  }
}

async function fill(
  handle: FileHandle,
  parts: readonly Uint8Array[],
  mode: number | undefined,
): Promise<void> {
  try {
    for (const part of parts) await handle.writeFile(part);
    if (mode !== undefined) await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Until the returned function is called, SIGINT and SIGTERM remove the files and then do what they do by default. */
function removeOnSignal(files: readonly string[]): () => void {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const onSignal = (signal: NodeJS.Signals) => {
    for (const file of files) {
      try {
        rmSync(file, { force: true });
      } catch {} // nothing more can be done: the process ends
    }
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
    await checkFree(to, false);
    await rename(from, to);
  }
}

function exists(file: string): EspalierError {
  return new EspalierError(
    'ERR_ESPALIER_FILE',
    `Expected no file at "${file}", got one; --force replaces it`,
  );
}
