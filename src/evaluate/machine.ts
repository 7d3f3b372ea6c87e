import { readFileSync } from 'node:fs';
import os from 'node:os';

/** The machine as it matters to latency: what a benchmark should be published with. */
export interface Machine {
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  /** Logical CPUs of the machine. */
  readonly cpus: number;
  /** CPUs this process may run on (affinity). */
  readonly usableCpus: number;
  /** CPUs' worth of time the control group allows, or null when it does not limit it (or has none). */
  readonly cgroupCpus: number | null;
  readonly memoryBytes: number;
}

export function describeMachine(): Machine {
  const cpus = os.cpus();
  return {
    node: process.version,
    platform: `${process.platform}-${process.arch} ${os.release()}`,
    cpu: cpus[0]?.model.trim() || 'unknown',
    cpus: cpus.length,
    usableCpus: os.availableParallelism(),
    cgroupCpus: parseCpuMax(readIfThere('/sys/fs/cgroup/cpu.max')),
    memoryBytes: os.totalmem(),
  };
}

/** Reads `cpu.max` of control groups version 2, "quota period" in microseconds: 150000 / 100000 is 1.5 CPUs. */
export function parseCpuMax(text: string | undefined): number | null {
  const [, quota, period] = /^(\d+) (\d+)\s*$/.exec(text ?? '') ?? [];
  return quota === undefined || Number(period) === 0 ? null : Number(quota) / Number(period);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // no such file: not Linux, or control groups version 1
    if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
