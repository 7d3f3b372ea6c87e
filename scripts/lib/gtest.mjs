import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './files.mjs';
import { runQuiet } from './run.mjs';

const systemSource = '/usr/src/googletest';
const unpacked = join(root, 'build', 'googletest');

/** An installed GTest is found by CMake's find_package: through its package files in one of the usual prefixes. */
function isInstalled() {
  const prefixes = [...(process.env['CMAKE_PREFIX_PATH'] ?? '').split(':'), '/usr/local', '/usr'].filter(
    Boolean,
  );
  const isLibrary = (name) => /^lib(64)?$/.test(name);
  return prefixes.some((prefix) => {
    const libraries = existsSync(prefix) ? readdirSync(prefix).filter(isLibrary) : [];
    const places = libraries.flatMap((lib) => [
      join(prefix, lib, 'cmake', 'GTest'),
      ...readdirSync(join(prefix, lib))
        .filter((name) => name.includes('-linux-'))
        .map((triplet) => join(prefix, lib, triplet, 'cmake', 'GTest')),
    ]);
    return places.some((place) => existsSync(join(place, 'GTestConfig.cmake')));
  });
}

const sourceIn = (directory) => (existsSync(join(directory, 'CMakeLists.txt')) ? directory : undefined);

/**
 * GoogleTest for the native tests, fetched from the Debian archive when the machine has none.
 * Returns `{}` when it is installed, `{ source }` when CMake must build it from a source directory.
 * @param {(what: string) => void} announce called with a line that says what is about to take a while
 */
export async function provideGoogleTest(announce) {
  const source = sourceIn(join(unpacked, 'usr', 'src', 'googletest'));
  if (isInstalled()) return {};
  if (sourceIn(systemSource) ?? source) return { source: sourceIn(systemSource) ?? source };

  const isRoot = process.getuid?.() === 0;
  announce(`GoogleTest (${isRoot ? 'apt-get install libgtest-dev' : 'apt-get download googletest'})`);
  const { status, output } = isRoot ? await installPackage() : await unpackPackage();
  if (status === 0 && isInstalled()) return {};
  const found = sourceIn(systemSource) ?? sourceIn(join(unpacked, 'usr', 'src', 'googletest'));
  if (status === 0 && found) return { source: found };
  throw new Error(
    `${output}\nGoogleTest is needed for the native tests and could not be fetched. Install it and try again ` +
      '(Debian, Ubuntu: sudo apt-get install -y libgtest-dev), or run the TypeScript tests alone: npx vitest run',
  );
}

async function installPackage() {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const updated = await runQuiet('apt-get', ['update', '-q'], { env });
  const installed = await runQuiet('apt-get', ['install', '-y', '-q', 'libgtest-dev'], { env });
  return { status: installed.status, output: updated.output + installed.output };
}

/** `apt-get download` and `dpkg -x` need no rights: the package's sources land below build/. */
async function unpackPackage() {
  mkdirSync(unpacked, { recursive: true });
  let { status, output } = await runQuiet('apt-get', ['download', 'googletest'], { cwd: unpacked });
  const archives = readdirSync(unpacked).filter((name) => name.endsWith('.deb'));
  for (const archive of status === 0 ? archives : []) {
    const result = await runQuiet('dpkg', ['-x', archive, '.'], { cwd: unpacked });
    output += result.output;
    status = Math.max(status, result.status);
  }
  return { status, output };
}
