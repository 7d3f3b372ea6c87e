// Builds the native tests and the addon for ARM64 and runs the native tests and those TypeScript tests that compute in
// the addon, all in an emulator (qemu-user). Correctness only: an emulator says nothing about speed. Packages, dist/
// and a Node for ARM64 are set up below build/ when they are missing.
//
//   npm run test:arm64                              everything
//   npm run test:arm64 -- test/operators -t Gemm    the TypeScript tests that these vitest arguments select
import { availableParallelism } from 'node:os';
import { arm64Dir, buildForArm64, checkTools, prepareTypeScriptTests } from './lib/arm64-emulation.mjs';
import { reportCounts, runNativeTests, runTypeScriptTests } from './lib/test-runs.mjs';

/**
 * What takes the kernels through every format, instruction set and epilogue, compared with onnxruntime's build for
 * ARM64. The other tests of operators run here too when they are named, and take longer than they tell.
 */
const typeScriptTests = ['sparse', 'sparse_convolution', 'product'].map(
  (name) => `test/operators/${name}.test.ts`,
);

/** An emulated process is ten to thirty times slower than a real one. */
const timeouts = ['--testTimeout=600000', '--hookTimeout=600000'];

try {
  checkTools();
  const selected = process.argv.slice(2);
  console.error('espalier: building for ARM64 ...');
  await buildForArm64(availableParallelism());
  const results = selected.length > 0 ? [] : [runNativeTests(arm64Dir)];
  const tests = selected.length > 0 ? selected : typeScriptTests;
  results.push(runTypeScriptTests([...timeouts, ...tests], await prepareTypeScriptTests()));
  reportCounts(results);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
