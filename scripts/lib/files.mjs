import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's top directory. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** All files below `directory`, as paths; none when it does not exist. */
export function filesBelow(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** True when `output` exists and no file of `inputs` was changed after it. */
export function isNewerThan(output, inputs) {
  if (!existsSync(output)) return false;
  const madeAt = statSync(output).mtimeMs;
  return inputs.every((input) => statSync(input).mtimeMs <= madeAt);
}
