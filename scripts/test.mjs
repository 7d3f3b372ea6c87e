// Runs the native tests, then the TypeScript tests, and ends with one line that counts both.
//
//   npm test                        everything
//   npm test -- test/prune -t exact the TypeScript tests that these vitest arguments select
//   npm test -- --native            the native tests alone
//   npm test -- --sanitize          the native tests alone, under AddressSanitizer and UndefinedBehaviorSanitizer
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { filesBelow, root } from './lib/files.mjs';
import { provideGoogleTest } from './lib/gtest.mjs';
import { buildNativeTests, nativeTestDir, sanitizedTestDir } from './lib/native-tests.mjs';
import { runLoud } from './lib/run.mjs';

/** Runs ctest over the native tests built in `directory`; returns the counts of GoogleTest's own reports. */
function runNativeTests(directory) {
  const reports = join(directory, 'reports');
  rmSync(reports, { recursive: true, force: true });
  const env = { ...process.env, GTEST_OUTPUT: `xml:${reports}/`, UBSAN_OPTIONS: 'print_stacktrace=1' };
  const args = ['--test-dir', directory, '--output-on-failure', '--no-tests=error'];
  const status = runLoud('ctest', args, { env });
  const headers = filesBelow(reports).flatMap(
    (path) => readFileSync(path, 'utf8').match(/<testsuite\s[^>]*>/g) ?? [],
  );
  const count = (name) =>
    headers.reduce(
      (sum, header) => sum + Number(new RegExp(`\\b${name}="(\\d+)"`).exec(header)?.[1] ?? 0),
      0,
    );
  const failed = count('failures') + count('errors');
  const skipped = count('skipped') + count('disabled');
  return verdict(status, { passed: count('tests') - failed - skipped, failed, skipped });
}

/** Builds and runs the native tests under AddressSanitizer and UndefinedBehaviorSanitizer. */
async function runSanitizedTests() {
  console.error('espalier: building the native tests with sanitizers ...');
  const { source } = await provideGoogleTest(console.error);
  const settings = ['-DESPALIER_SANITIZE=address,undefined'];
  const jobs = availableParallelism();
  await buildNativeTests({ directory: sanitizedTestDir, googleTestSource: source, jobs, settings });
  return runNativeTests(sanitizedTestDir);
}

/** Runs vitest with extra arguments; returns its counts. A file that cannot be loaded counts as one failure. */
function runTypeScriptTests(extraArgs) {
  const report = join(root, 'build', 'vitest.json');
  mkdirSync(join(root, 'build'), { recursive: true });
  rmSync(report, { force: true });
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const status = runLoud(process.execPath, [...args, ...extraArgs]);
  if (!existsSync(report)) return verdict(status, { passed: 0, failed: 0, skipped: 0 });
  const { numPassedTests, numFailedTests, numTotalTests, testResults } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  const unloaded = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'),
  );
  return verdict(status, {
    passed: numPassedTests,
    failed: numFailedTests + unloaded.length,
    skipped: numTotalTests - numPassedTests - numFailedTests,
  });
}

/** A runner that failed, or ran nothing, is a failure even when it names no test. */
function verdict(status, counts) {
  const ran = counts.passed + counts.failed;
  return (status !== 0 || ran === 0) && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
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
  const results = await runAll(process.argv.slice(2));
  const sum = (key) => results.reduce((total, counts) => total + counts[key], 0);
  if (sum('skipped') > 0) console.log(`${sum('skipped')} skipped`);
  console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  process.exitCode = sum('failed') > 0 ? 1 : 0;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
