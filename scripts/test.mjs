// Runs the native tests, then the TypeScript tests, and ends with one line that counts both.
//
//   npm test                        everything
//   npm test -- test/prune -t exact the TypeScript tests that these vitest arguments select
//   npm test -- --native            the native tests alone
//   npm test -- --sanitize          the native tests alone, under AddressSanitizer and UndefinedBehaviorSanitizer
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { root } from './lib/files.mjs';
import { provideGoogleTest } from './lib/gtest.mjs';
import { buildNativeTests, nativeTestDir, sanitizedTestDir } from './lib/native-tests.mjs';
import { runLoud } from './lib/run.mjs';
import { reportCounts, runNativeTests, runTypeScriptTests } from './lib/test-runs.mjs';

/** Builds and runs the native tests under AddressSanitizer and UndefinedBehaviorSanitizer. */
async function runSanitizedTests() {
  console.error('espalier: building the native tests with sanitizers ...');
  const { source } = await provideGoogleTest(console.error);
  const settings = ['-DESPALIER_SANITIZE=address,undefined'];
  const jobs = availableParallelism();
  await buildNativeTests({ directory: sanitizedTestDir, googleTestSource: source, jobs, settings });
  return runNativeTests(sanitizedTestDir);
}

async function runAll(args) {
  if (args.includes('--sanitize')) return [await runSanitizedTests()];
  const onlyNative = args.includes('--native');
  const onlyTypeScript = args.length > 0 && !onlyNative;
  const setup = [join(root, 'scripts', 'setup.mjs'), ...(onlyTypeScript ? [] : ['--native-tests'])];
  if (runLoud(process.execPath, setup) !== 0) throw new Error('set-up failed');
  const results = [];
  if (!onlyTypeScript) results.push(runNativeTests(nativeTestDir));
  if (!onlyNative) results.push(runTypeScriptTests(args));
  return results;
}

try {
  reportCounts(await runAll(process.argv.slice(2)));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
