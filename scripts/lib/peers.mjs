import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './files.mjs';
import { isAvailable, runQuiet } from './run.mjs';

/** Sources of the program that runs the native engines the bench compares with, and where it is built. */
export const peerSources = join(root, 'bench', 'native');
export const peersDir = join(root, 'build', 'bench-peers');

const needed = [
  { header: '/usr/include/dnnl.hpp', debian: 'libdnnl-dev' },
  { header: '/usr/include/eigen3/Eigen/SparseCore', debian: 'libeigen3-dev' },
  { header: '/usr/include/xnnpack.h', debian: 'libxnnpack-dev' },
  { header: '/usr/include/pthreadpool.h', debian: 'libpthreadpool-dev' },
];
const missing = () => needed.filter(({ header }) => !existsSync(header)).map(({ debian }) => debian);

/**
 * Builds the program with the engines that are installed, after installing them where that is allowed. A bench without
 * them is still a bench, so nothing here throws. Returns one sentence for each thing that is missing.
 * @param {(what: string) => void} announce called with a line that says what is about to take a while
 */
export async function providePeers(announce) {
  const complaints = [];
  if (missing().length > 0 && process.getuid?.() === 0 && isAvailable('apt-get')) {
    announce(`native engines to compare with (apt-get install ${missing().join(' ')})`);
    await install(missing());
  }
  if (missing().length > 0) complaints.push(`Debian, Ubuntu: sudo apt-get install -y ${missing().join(' ')}`);
  announce('native engines to compare with (cmake)');
  const configure = ['-S', peerSources, '-B', peersDir, '-DCMAKE_BUILD_TYPE=Release'];
  for (const args of [configure, ['--build', peersDir]]) {
    const { status, output } = await runQuiet('cmake', args);
    if (status !== 0) return [...complaints, `${output}\ncmake ${args.join(' ')} failed`];
  }
  return complaints;
}

/** One package after the other: one that the archive does not have must not keep the rest away. */
async function install(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await runQuiet('apt-get', ['update', '-q'], { env });
  for (const name of packages)
    await runQuiet('apt-get', ['install', '-y', '-q', '--no-install-recommends', name], { env });
}
