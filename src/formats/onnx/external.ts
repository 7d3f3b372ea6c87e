import { readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { EspalierError } from '../../errors.js';
import type { ResolveExternal } from './tensors.js';

/**
 * Reads external data files of a model in `folder`, each once. A model may only name files inside its own folder:
 * a model from a stranger must not read the machine's other files into a graph, symbolic links included.
 */
export function externalFiles(folder: string): ResolveExternal {
  const files = new Map<string, Uint8Array>();
  return (location) => {
    const file = path.resolve(folder, location);
    const known = files.get(file);
    if (known !== undefined) return known;
    if (path.isAbsolute(location) || path.win32.isAbsolute(location) || location.includes('\0')) {
      throw outside(location);
    }
    if (!isInside(path.resolve(folder), file)) throw outside(location);
    let bytes: Buffer;
    try {
      if (!isInside(realpathSync(folder), realpathSync(file))) throw outside(location);
      bytes = readFileSync(file);
    } catch (cause) {
      if (cause instanceof EspalierError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new EspalierError('ERR_ESPALIER_FILE', `Expected readable external data at ${file}: ${reason}`, {
        cause,
      });
    }
    files.set(file, bytes);
    return bytes;
  };
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

function outside(location: string): EspalierError {
  return new EspalierError(
    'ERR_ESPALIER_MODEL',
    `Expected external data inside the model's folder, got location ${JSON.stringify(location)}`,
  );
}
