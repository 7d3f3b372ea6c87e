import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const signals = /** @type {const} */ ([
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
]);

/**
 * A new folder that is removed when this process ends, after an error and after Ctrl-C too. Engine processes end when
 * their parent does.
 * @param {string} name
 */
export function makeScratch(name) {
  const directory = mkdtempSync(join(tmpdir(), `${name}-`));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  for (const [signal, number] of signals) process.once(signal, () => process.exit(128 + number));
  return directory;
}
