// Builds build/Release/espalier.node with node-gyp. This is the package's `install` script, so it imports only what
// Node itself and the package's own dependencies bring, and it downloads nothing: the Node-API headers come from the
// Node installation, or from the `node-api-headers` package.
//
//   ESPALIER_SKIP_BUILD=1        do nothing (for installs that never load the addon)
//   ESPALIER_HEADERS=package     use the headers of `node-api-headers` even when Node brings its own
//   --force                      build although the addon is newer than its sources
import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const addonPath = join(root, 'build', 'Release', 'espalier.node');
const require = createRequire(import.meta.url);

/** True when the addon exists and is newer than binding.gyp and every file under native/ that goes into it. */
export function isAddonFresh() {
  if (!existsSync(addonPath)) return false;
  const builtAt = statSync(addonPath).mtimeMs;
  const sources = readdirSync(join(root, 'native'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => !path.startsWith(join(root, 'native', 'test')));
  return [join(root, 'binding.gyp'), ...sources].every((path) => statSync(path).mtimeMs <= builtAt);
}

/** A directory that node-gyp takes as `--nodedir`: the Node installation's own, or one made below `build/`. */
function findNodeDir() {
  if (process.env['ESPALIER_HEADERS'] !== 'package') {
    const prefixes = [
      process.env['npm_config_nodedir'],
      dirname(dirname(process.execPath)),
      process.config.variables.node_prefix,
      '/usr',
    ];
    const found = prefixes.find((prefix) => prefix && hasMatchingHeaders(join(prefix, 'include', 'node')));
    if (found) return found;
  }
  return makeNodeDir(join(root, 'build', 'node-headers'));
}

/** Headers of another major release beside this Node (say, a system one) are not this Node's headers. */
function hasMatchingHeaders(include) {
  if (!['node_api.h', 'common.gypi', 'node_version.h'].every((name) => existsSync(join(include, name))))
    return false;
  const major = /^#define NODE_MAJOR_VERSION (\d+)/m.exec(
    readFileSync(join(include, 'node_version.h'), 'utf8'),
  );
  return major?.[1] === process.versions.node.split('.')[0];
}

/** The part of Node's common.gypi that an addon needs: two configurations, and threads. */
const commonGypi = `{
  'variables': { 'visibility%': 'hidden', 'library%': 'static_library' },
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': {
      'Debug': { 'cflags': ['-g', '-O0'], 'defines': ['DEBUG', '_DEBUG'] },
      'Release': { 'cflags': ['-O3', '-fno-omit-frame-pointer'] },
    },
    'cflags': ['-pthread'],
    'cflags_cc': ['-std=gnu++17', '-fno-rtti', '-fno-exceptions'],
    'ldflags': ['-pthread'],
  },
}
`;

function makeNodeDir(dir) {
  const include = join(dir, 'include', 'node');
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(include, { recursive: true });
  cpSync(require('node-api-headers').include_dir, include, { recursive: true });
  writeFileSync(join(include, 'common.gypi'), commonGypi);
  const variables = { host_arch: process.arch, target_arch: process.arch };
  writeFileSync(join(include, 'config.gypi'), JSON.stringify({ target_defaults: {}, variables }));
  return dir;
}

/** The environment without npm's settings for node-gyp: node-gyp prefers them to its own arguments. */
function nodeGypEnvironment() {
  const ours =
    /^npm_(config|package_config_node_gyp)_(nodedir|devdir|dist_?url|target|jobs|loglevel|tarball)$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}

/** Runs node-gyp in `directory`; resolves to its exit code and everything it printed. */
function runNodeGyp(directory, nodeDir) {
  const nodeGyp = require.resolve('node-gyp/bin/node-gyp.js');
  const args = [nodeGyp, 'configure', 'build', '--release', `--nodedir=${nodeDir}`];
  args.push(`--jobs=${availableParallelism()}`, '--loglevel=warn');
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: directory, env: nodeGypEnvironment() });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (log += text));
    child.on('error', (error) => resolve({ status: 1, log: `${log}${error.message}\n` }));
    child.on('close', (status) => resolve({ status: status ?? 1, log }));
  });
}

/** GNU make cannot name a target in a directory whose path has a space, so such a package is built in a copy. */
async function buildInCopy() {
  const copy = mkdtempSync(join(tmpdir(), 'espalier-build-'));
  try {
    for (const name of ['native', 'binding.gyp', 'package.json']) {
      cpSync(join(root, name), join(copy, name), { recursive: true });
    }
    const headers = dirname(require.resolve('node-addon-api/package.json'));
    cpSync(headers, join(copy, 'node_modules', 'node-addon-api'), { recursive: true });
    const found = findNodeDir();
    const nodeDir = /\s/.test(found) ? makeNodeDir(join(copy, 'node-headers')) : found;
    const result = await runNodeGyp(copy, nodeDir);
    if (result.status === 0) {
      mkdirSync(dirname(addonPath), { recursive: true });
      copyFileSync(join(copy, 'build', 'Release', 'espalier.node'), `${addonPath}.new`);
      renameSync(`${addonPath}.new`, addonPath); // never write into a library that some process has mapped
    }
    return result;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** What the machine lacks, in words that say how to get it. */
function explainFailure() {
  const runs = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
  const tools = [
    {
      name: 'a C++17 compiler',
      debian: 'g++',
      found: [process.env['CXX'], 'g++'].some((cxx) => cxx && runs(cxx)),
    },
    { name: 'make', debian: 'make', found: runs(process.env['MAKE'] ?? 'make') },
    {
      name: 'Python 3',
      debian: 'python3',
      found: [process.env['PYTHON'], 'python3', 'python'].some((python) => python && runs(python)),
    },
  ];
  const missing = tools.filter((tool) => !tool.found);
  if (missing.length === 0) return 'espalier: the native addon could not be built; the log above says why.';
  return (
    `espalier: the native addon could not be built: ${missing.map((tool) => tool.name).join(', ')} not found.\n` +
    `Install it and try again. Debian, Ubuntu: sudo apt-get install -y ${missing.map((t) => t.debian).join(' ')}`
  );
}

async function main() {
  if (process.env['ESPALIER_SKIP_BUILD'] === '1') return;
  if (!process.argv.includes('--force') && isAddonFresh()) return;
  const startedAt = new Date();
  const { status, log } = await (/\s/.test(root) ? buildInCopy() : runNodeGyp(root, findNodeDir()));
  if (status !== 0 || !existsSync(addonPath)) {
    process.stderr.write(`${log}\n${explainFailure()}\n`);
    process.exitCode = 1;
    return;
  }
  utimesSync(addonPath, startedAt, startedAt); // an edit made during the build must leave the addon stale
  console.log(`espalier: native addon built in ${((Date.now() - startedAt.getTime()) / 1000).toFixed(1)} s`);
}

if (fileURLToPath(import.meta.url) === realpathSync(process.argv[1] ?? '.')) await main();
