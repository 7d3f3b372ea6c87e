// Compiles src/ to dist/. This is the package's `prepare` script: it runs in a checkout, never for a published package,
// which carries dist/ and no TypeScript. The compiler writes beside dist/, which is replaced only when all went well.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, realpathSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesBelow, isNewerThan, root } from './lib/files.mjs';

const dist = join(root, 'dist');
const config = join(root, 'tsconfig.json');
const bins = ['cli/main.js'];

/** True when dist/ is newer than every source, so that there is nothing to compile. */
export function isDistFresh() {
  return isNewerThan(join(dist, 'index.js'), [config, ...filesBelow(join(root, 'src'))]);
}

function main() {
  if (!existsSync(config)) return 0;
  if (isDistFresh() && !process.argv.includes('--force')) return 0;
  const startedAt = new Date();
  const fresh = join(root, `dist-${process.pid}`);
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const args = [tsc, '-p', config, '--outDir', fresh, '--noEmitOnError'];
  try {
    const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
    if (status !== 0) return status ?? 1;
    for (const bin of bins) {
      if (existsSync(join(fresh, bin))) chmodSync(join(fresh, bin), 0o755);
    }
    utimesSync(join(fresh, 'index.js'), startedAt, startedAt); // an edit made meanwhile must leave dist/ stale
    rmSync(dist, { recursive: true, force: true });
    renameSync(fresh, dist);
    return 0;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

if (fileURLToPath(import.meta.url) === realpathSync(process.argv[1] ?? '.')) process.exitCode = main();
