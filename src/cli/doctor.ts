import type { Command } from 'commander';
import { describeMachine, type Machine } from '../evaluate/machine.js';
import { addonPath, loadAddon } from '../native/addon.js';
import { bytes } from '../text.js';
import { packageVersion } from '../version.js';
import { type Io, print } from './io.js';

/** What `espalier doctor` found. */
export interface Diagnosis {
  readonly version: string;
  readonly machine: Machine;
  readonly addon: { readonly path: string; readonly loads: boolean; readonly error: string | null };
  /** Instruction sets this build and CPU share, slowest first, and the one sessions take by default. */
  readonly isa: { readonly available: readonly string[]; readonly selected: string | null };
  /** Threads a session has by default. */
  readonly threads: number;
  /** What to do about what is wrong. Empty when all is well. */
  readonly advice: readonly string[];
}

export function addDoctor(program: Command, io: Io, setExitCode: (code: number) => void): void {
  program
    .command('doctor')
    .description('check that espalier works here, and how fast it can be')
    .option('--json', 'print JSON')
    .action(({ json }: { json?: boolean }) => {
      const diagnosis = diagnose();
      print(io, json, diagnosis, () => describe(diagnosis));
      if (!diagnosis.addon.loads) setExitCode(1);
    });
}

/** Looks at this machine and this installation. Throws nothing for what it finds broken: it reports it. */
export function diagnose(): Diagnosis {
  const machine = describeMachine();
  const addon = { path: addonPath, ...tryLoad() };
  const asked = process.env['ESPALIER_ISA'] ?? 'auto';
  const { available } = addon;
  const selected = asked === 'auto' ? available.at(-1) : available.find((isa) => isa === asked);
  const found = { machine, addon, available, asked, selected };
  return {
    version: packageVersion(),
    machine,
    addon: { path: addon.path, loads: addon.loads, error: addon.error },
    isa: { available, selected: selected ?? null },
    threads: machine.usableCpus,
    advice: advise(found),
  };
}

function tryLoad(): { loads: boolean; error: string | null; available: readonly string[] } {
  try {
    return { loads: true, error: null, available: loadAddon().availableIsas() };
  } catch (error) {
    return { loads: false, error: error instanceof Error ? error.message : String(error), available: [] };
  }
}

function advise(found: {
  readonly machine: Machine;
  readonly addon: { readonly loads: boolean };
  readonly available: readonly string[];
  readonly asked: string;
  readonly selected: string | undefined;
}): string[] {
  const { machine, addon, available, asked, selected } = found;
  const advice: string[] = [];
  if (!addon.loads) {
    advice.push(
      'The native addon does not load: run `npm rebuild espalier`, which needs a C++17 compiler, make and python3.',
    );
    return advice;
  }
  if (selected === undefined) {
    advice.push(
      `ESPALIER_ISA is "${asked}", but this CPU has ${available.join(', ')}: unset it, or set one of these.`,
    );
  }
  if (selected === 'scalar') {
    advice.push('Only scalar code runs: on x86-64, AVX2 with FMA makes it several times faster.');
  }
  if (machine.cgroupCpus !== null && machine.cgroupCpus < machine.usableCpus) {
    advice.push(
      `The control group allows ${machine.cgroupCpus} of ${machine.usableCpus} CPUs: more threads than that get paused ` +
        `mid-run; set threads to ${Math.max(1, Math.floor(machine.cgroupCpus))}.`,
    );
  }
  return advice;
}

function describe({ version, machine, addon, isa, threads, advice }: Diagnosis): string {
  const { node, platform, cpu, cpus, usableCpus, cgroupCpus, memoryBytes } = machine;
  return [
    `espalier  ${version}`,
    `node      ${node}, ${platform}`,
    `cpu       ${cpu}`,
    `cpus      ${cpus}, usable ${usableCpus}${cgroupCpus === null ? '' : `, control group ${cgroupCpus}`}`,
    `memory    ${bytes(memoryBytes)}`,
    `addon     ${addon.path}: ${addon.loads ? 'loads' : addon.error}`,
    `isa       ${isa.selected ?? 'none'}${isa.available.length > 0 ? ` of ${isa.available.join(', ')}` : ''}`,
    `threads   ${threads} by default`,
    ...advice.map((line) => `advice    ${line}`),
  ].join('\n');
}
