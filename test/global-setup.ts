import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Tests that find no addon would all fail for the same reason: say it once, before any of them. */
export function setup(): void {
  const needed = ['build/Release/espalier.node', 'dist/index.js'];
  const missing = needed.filter((path) => !existsSync(fileURLToPath(new URL(`../${path}`, import.meta.url))));
  if (missing.length > 0) throw new Error(`${missing.join(' and ')} not found: run "npm run setup" first`);
}
