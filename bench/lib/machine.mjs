import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

/** What the numbers of a bench hold for: the machine, the software, the commit, the day. */
export function describeMachine() {
  const cpuinfo = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(' '));
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cpus: availableParallelism(),
    isa: ['avx2', 'fma', 'avx512f', 'avx512bw', 'avx512vl'].filter((flag) => flags.has(flag)),
    memoryGb: Math.round(totalmem() / 1e9),
    os: `${type()} ${release()}`,
    arch: process.arch,
    node: process.version,
    onnxruntime: versionOf('onnxruntime-node'),
    commit: git('rev-parse', '--short', 'HEAD') || 'none',
    changed: git('status', '--porcelain') !== '',
    date: new Date().toISOString(),
  };
}

/** @param {string} name */
function versionOf(name) {
  const path = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return /** @type {{ version: string }} */ (JSON.parse(readFileSync(path, 'utf8'))).version;
}

/** @param {readonly string[]} args */
function git(...args) {
  const { status, stdout } = spawnSync('git', args, { cwd: new URL('.', import.meta.url), encoding: 'utf8' });
  return status === 0 ? stdout.trim() : '';
}
