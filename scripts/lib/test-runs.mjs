import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { filesBelow, root } from './files.mjs';
import { runLoud } from './run.mjs';

/** Runs ctest over the native tests built in `directory`; returns the counts of GoogleTest's own reports. */
export function runNativeTests(directory) {
  const reports = join(directory, 'reports');
  rmSync(reports, { recursive: true, force: true });
  const env = { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1' };
  const jobs = String(availableParallelism());
  const args = ['--test-dir', directory, '--parallel', jobs, '--output-on-failure', '--no-tests=error'];
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

/**
 * Runs vitest; returns its counts. A file that cannot be loaded counts as one failure.
 * @param {readonly string[]} vitestArgs
 * @param {{ directory?: string, nodeArgs?: readonly string[] }} [options] `directory`: the checkout to test
 */
export function runTypeScriptTests(vitestArgs, { directory = root, nodeArgs = [] } = {}) {
  const report = join(directory, 'build', 'vitest.json');
  mkdirSync(join(directory, 'build'), { recursive: true });
  rmSync(report, { force: true });
  const vitest = join(directory, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [
    ...nodeArgs,
    vitest,
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const status = runLoud(process.execPath, [...args, ...vitestArgs], { cwd: directory });
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

/** Prints what `npm test` ends with, and makes a failure the exit code of this process. */
export function reportCounts(results) {
  const sum = (key) => results.reduce((total, counts) => total + counts[key], 0);
  if (sum('skipped') > 0) console.log(`${sum('skipped')} skipped`);
  console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  process.exitCode = sum('failed') > 0 ? 1 : 0;
}
