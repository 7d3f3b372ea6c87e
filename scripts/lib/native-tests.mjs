import { join } from 'node:path';
import { root } from './files.mjs';
import { isAvailable, runQuiet } from './run.mjs';

/** Where CMake builds the native tests, without and with sanitizers. */
export const nativeTestDir = join(root, 'build', 'native-tests');
export const sanitizedTestDir = join(root, 'build', 'native-tests-sanitized');

/**
 * Configures and builds the native tests in `directory`. Incremental: CMake and make do only what is stale.
 * @param {{ directory: string, googleTestSource?: string, jobs: number, settings?: readonly string[] }} options
 */
export async function buildNativeTests({ directory, googleTestSource, jobs, settings = [] }) {
  if (!isAvailable('cmake')) {
    throw new Error(
      'cmake is needed for the native tests and was not found. Debian, Ubuntu: sudo apt-get install -y cmake',
    );
  }
  const configure = ['-S', root, '-B', directory, '-DCMAKE_BUILD_TYPE=Release', '-DESPALIER_BUILD_TESTS=ON'];
  configure.push('-DCMAKE_EXPORT_COMPILE_COMMANDS=ON', ...settings);
  if (googleTestSource !== undefined) configure.push(`-DESPALIER_GTEST_SOURCE=${googleTestSource}`);
  for (const args of [configure, ['--build', directory, '--parallel', String(jobs)]]) {
    const { status, output } = await runQuiet('cmake', args);
    if (status !== 0) throw new Error(`${output}\ncmake ${args.join(' ')} failed`);
  }
}
