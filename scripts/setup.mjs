// Makes a checkout ready to run: packages, native addon, dist/, with --native-tests GoogleTest and the native tests, and
// with --peers the native engines that the bench compares with, as far as they can be had.
// Does only what is missing or stale, says so in one line a step, and prints nothing when there is nothing to do.
// It runs before anything is installed, so it imports nothing but Node's own modules.
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { isAddonFresh } from './build-addon.mjs';
import { isDistFresh } from './build-ts.mjs';
import { filesBelow, isNewerThan, root } from './lib/files.mjs';
import { provideGoogleTest } from './lib/gtest.mjs';
import { buildNativeTests, nativeTestDir } from './lib/native-tests.mjs';
import { peerSources, peersDir, providePeers } from './lib/peers.mjs';
import { runQuiet } from './lib/run.mjs';

const announce = (what) => console.error(`espalier: setting up ${what} ...`);

/** True when node_modules holds every package of package-lock.json in its version; optional ones may be missing. */
function hasPackages() {
  const installedLock = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedLock)) return false;
  const installed = JSON.parse(readFileSync(installedLock, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  );
}

async function step(what, command, args) {
  announce(what);
  const { status, output } = await runQuiet(command, args);
  if (status !== 0) throw new Error(`${output}\n${command} ${args.join(' ')} failed`);
}

async function setUp() {
  const script = (name) => join(root, 'scripts', name);
  if (!hasPackages()) {
    // `npm ci` runs the install and prepare scripts too, so it leaves addon and dist/ built.
    await step('packages, native addon and TypeScript (npm ci)', 'npm', ['ci', '--no-audit', '--no-fund']);
  }
  if (!isAddonFresh()) await step('native addon', process.execPath, [script('build-addon.mjs')]);
  if (!isDistFresh()) await step('TypeScript', process.execPath, [script('build-ts.mjs')]);
  if (process.argv.includes('--native-tests')) await setUpNativeTests();
  if (process.argv.includes('--peers')) await setUpPeers();
}

async function setUpNativeTests() {
  const stamp = join(nativeTestDir, 'built');
  if (isNewerThan(stamp, [join(root, 'CMakeLists.txt'), ...filesBelow(join(root, 'native'))])) return;
  const startedAt = new Date();
  const { source } = await provideGoogleTest(announce);
  announce('native tests (cmake)');
  await buildNativeTests({
    directory: nativeTestDir,
    googleTestSource: source,
    jobs: availableParallelism(),
  });
  writeFileSync(stamp, '');
  utimesSync(stamp, startedAt, startedAt);
}

async function setUpPeers() {
  const stamp = join(peersDir, 'built');
  if (isNewerThan(stamp, filesBelow(peerSources))) return;
  const startedAt = new Date();
  const complaints = await providePeers(announce);
  for (const complaint of complaints)
    console.error(`espalier: not all engines to compare with: ${complaint}`);
  if (complaints.length > 0) return; // what is missing today may be there tomorrow
  writeFileSync(stamp, '');
  utimesSync(stamp, startedAt, startedAt);
}

try {
  await setUp();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
