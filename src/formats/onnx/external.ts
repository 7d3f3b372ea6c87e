import path from 'node:path';
import { pathBeside, readWholeSync } from '../read_file.js';
import type { ResolveExternal } from './tensors.js';

/** Reads the external data files that a model names, which lie in its folder and nowhere else, each once. */
export function externalFiles(model: string): ResolveExternal {
  const files = new Map<string, Uint8Array>();
  return (location) => {
    const known = files.get(path.resolve(path.dirname(model), location));
    if (known !== undefined) return known;
    const file = pathBeside(model, location, 'external data');
    const bytes = readWholeSync(file, 'external data');
    files.set(file, bytes);
    return bytes;
  };
}
