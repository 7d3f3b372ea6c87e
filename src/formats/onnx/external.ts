import path from 'node:path';
import { pathInside, readWholeSync } from '../read_file.js';
import type { ResolveExternal } from './tensors.js';

/** Reads external data files of a model in `folder`, and nowhere else, each once. */
export function externalFiles(folder: string): ResolveExternal {
  const files = new Map<string, Uint8Array>();
  return (location) => {
    const known = files.get(path.resolve(folder, location));
    if (known !== undefined) return known;
    const file = pathInside(folder, location, 'external data');
    const bytes = readWholeSync(file, 'external data');
    files.set(file, bytes);
    return bytes;
  };
}
