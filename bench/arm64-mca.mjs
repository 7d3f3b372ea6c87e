// How fast the loops of the matrix kernels would run on a Cortex-A76 (the core of a Raspberry Pi 5), as far as a static
// model can say: the kernels are compiled for ARM64 and llvm-mca simulates each loop. Nothing is run or timed.
//
//   npm run bench:arm64-mca [-- --print]      writes bench/results/arm64-mca.json and .md; --print: neither, only shows
//
// A loop is in the table when it multiplies and adds, is one basic block, and its function is defined in a file of
// `kernelFiles`. To add one, put its file there; to name it, put ESPALIER_MCA_LOOP (native/kernels/macros.h) before it.
//
// Needed: Debian's g++-aarch64-linux-gnu, and llvm-mca of LLVM 16 or later (Debian 12: llvm-19), the first that knows
// the Neoverse N1, which is the A76's core with another cache. LLVM models the A76 itself as the older A57.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { findLoops, readFunctions } from './lib/assembly.mjs';
import { describeMachine } from './lib/machine.mjs';

/** @import { Loop } from './lib/assembly.mjs' */

const kernelFiles = /^(matmul|panel|token|sell|gemv).*-inl\.h$/;

const cpu = 'cortex-a76';
const model = 'neoverse-n1';
const modelUnits = 'N1Unit'; // how LLVM calls the units of that model
const oldestLlvm = 16;
const iterations = 1000;

/** Multiply-adds of 128 bits that an A76 begins in a cycle, and instructions it decodes (which LLVM leaves out). */
const peakFmas = 2;
const decodeWidth = 4;

/** @param {string} command @param {readonly string[]} args @param {string} [input] */
function run(command, args, input) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: new URL('..', import.meta.url),
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}`);
  return stdout;
}

/** The newest llvm-mca of this machine that knows the model. */
function findMca() {
  const versions = Array.from({ length: 30 }, (_, i) => oldestLlvm + 29 - i).map((n) => `llvm-mca-${n}`);
  for (const command of [...versions, 'llvm-mca']) {
    const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
    const version = /LLVM version ([\d.]+)/.exec(stdout ?? '')?.[1];
    if (status === 0 && version !== undefined && Number.parseInt(version, 10) >= oldestLlvm)
      return { command, version };
  }
  throw new Error(
    `Expected llvm-mca of LLVM ${oldestLlvm} or later. Debian 12: sudo apt-get install -y llvm-19`,
  );
}

/** The loops of the kernels, and how they were compiled: with the flags of the library, for the CPU. */
function compileLoops() {
  const sources = JSON.parse(readFileSync(new URL('../native/sources.gypi', import.meta.url), 'utf8'));
  const compiler = 'aarch64-linux-gnu-g++';
  const flags = [...sources.variables.core_cflags, `-mcpu=${cpu}`];
  const only = ['-g1', '-DESPALIER_MCA', '-Inative', '-S', '-o', '-', 'native/isa/neon.cc'];
  const functions = readFunctions(run(compiler, [...flags, ...only]));
  const loops = functions
    .filter(({ file }) => kernelFiles.test(file))
    .flatMap(findLoops)
    .filter(({ instructions }) => countFmas(instructions) > 0);
  const version = run(compiler, ['-dumpfullversion']).trim();
  return { loops, compiledBy: `${compiler} ${version} ${flags.join(' ')}` };
}

/** Multiply-adds in units of a whole vector: of one float, a quarter. @param {readonly string[]} instructions */
function countFmas(instructions) {
  const share = (/** @type {string} */ text) => {
    if (/^fml[as] v\d+\.4s/.test(text)) return 1;
    if (/^fml[as] v\d+\.2s/.test(text)) return 0.5;
    return /^fn?m(add|sub) s/.test(text) ? 0.25 : 0;
  };
  return instructions.reduce((sum, text) => sum + share(text), 0);
}

/** The kernel that a symbol is part of, with its template arguments. @param {readonly string[]} symbols */
function kernelNames(symbols) {
  const names = run('c++filt', [], `${symbols.join('\n')}\n`)
    .trimEnd()
    .split('\n');
  return names.map((name) =>
    name
      .replaceAll(/\(anonymous namespace\)::|\bespalier::|\bneon::/g, '')
      .replace(/^void /, '')
      .replace(/\(.*$/, ''),
  );
}

/**
 * What the model says of each loop, all values already in the first-level cache.
 * @param {string} command @param {readonly Loop[]} loops
 */
function simulate(command, loops) {
  const regions = loops.map(
    ({ instructions }, i) => `# LLVM-MCA-BEGIN loop${i}\n${instructions.join('\n')}\n# LLVM-MCA-END\n`,
  );
  const args = ['-mtriple=aarch64-linux-gnu', `-mcpu=${model}`, `-iterations=${iterations}`, '-json'];
  const { CodeRegions, TargetInfo } = JSON.parse(run(command, args, regions.join('')));
  /** @type {string[]} */
  const units = TargetInfo.Resources;
  if (!units.every((unit) => unit.startsWith(modelUnits)))
    throw new Error(`Expected units of ${model}, got ${units.join(', ')}: ${command} does not know it`);
  return /** @type {any[]} */ (CodeRegions).map(({ SummaryView, ResourcePressureView }) => {
    const total = ResourcePressureView.ResourcePressureInfo.filter(
      (/** @type {{ InstructionIndex: number }} */ { InstructionIndex }) =>
        InstructionIndex === SummaryView.Instructions / iterations,
    );
    const busy = (/** @type {string} */ kind) =>
      Math.max(
        0,
        ...total
          .filter((/** @type {any} */ { ResourceIndex }) =>
            units[ResourceIndex]?.startsWith(modelUnits + kind),
          )
          .map((/** @type {any} */ { ResourceUsage }) => ResourceUsage),
      );
    return {
      cycles: SummaryView.TotalCycles / iterations,
      busy: { 'vector units': busy('V'), loads: busy('L') },
    };
  });
}

/**
 * @typedef {object} Row
 * @property {string} kernel the function that the compiler left the loop in
 * @property {string} loop what its marker says, or the statement that loops
 * @property {number} fmas an iteration, of 128 bits
 * @property {number} instructions
 * @property {number} spills instructions that load or store on the stack
 * @property {number} modelCycles an iteration, by llvm-mca
 * @property {number} cycles the same, but no fewer than it takes to decode the instructions
 * @property {number} shareOfPeak
 * @property {string} limit what keeps it from being faster
 */

/**
 * @param {Loop} loop @param {string} kernel @param {ReturnType<typeof simulate>[number]} simulated
 * @returns {Row}
 */
function rowOf({ name, place, instructions }, kernel, { cycles: modelCycles, busy }) {
  const fmas = countFmas(instructions);
  const decoding = instructions.length / decodeWidth;
  const cycles = Math.max(modelCycles, decoding);
  const [unit, used] = Object.entries({ ...busy, decoding }).reduce((a, b) => (b[1] > a[1] ? b : a));
  return {
    kernel,
    loop: name ?? place,
    fmas,
    instructions: instructions.length,
    spills: instructions.filter((text) => /\[sp\b/.test(text)).length,
    modelCycles,
    cycles,
    shareOfPeak: fmas / cycles / peakFmas,
    limit: used > 0.93 * cycles ? unit : 'latency',
  };
}

/** @param {readonly Row[]} rows @param {string} how @param {string} compiledBy */
function markdown(rows, how, compiledBy) {
  const cells = rows.map(
    ({ kernel, loop, fmas, instructions, spills, modelCycles, cycles, shareOfPeak, limit }) =>
      [
        `\`${kernel}\``,
        loop,
        fmas,
        instructions,
        spills,
        modelCycles.toFixed(1),
        cycles.toFixed(1),
        `${Math.round(100 * shareOfPeak)} %`,
        limit,
      ].join(' | '),
  );
  return `# The kernels' loops on a Cortex-A76, by a static model

Written by \`npm run bench:arm64-mca\`; not measured on a device. ${how}. Compiled by \`${compiledBy}\`.

One iteration of each loop, with its data in the first-level cache. FMAs are multiply-adds of 128 bits, of which the core
begins ${peakFmas} a cycle. Cycles are those of the model, but no fewer than it takes to decode ${decodeWidth} instructions a cycle, which
the model leaves out. It also leaves out that the core hands a sum early to the next multiply-add (loops that latency
limits are faster than it says), and that a load waits for the store of the same sum (loops that spill are slower).
Spills are instructions that load or store on the stack.

| function | loop | FMAs | instructions | spills | cycles, model | cycles | share of FMA peak | limit |
|---|---|--:|--:|--:|--:|--:|--:|---|
${cells.map((row) => `| ${row} |`).join('\n')}
`;
}

const { values } = parseArgs({ options: { print: { type: 'boolean', default: false } } });
const mca = findMca();
const { loops, compiledBy } = compileLoops();
if (loops.length === 0) throw new Error(`Found no loop of ${kernelFiles}`);
const kernels = kernelNames(loops.map(({ of }) => of.symbol));
const simulated = simulate(mca.command, loops);
const rows = loops
  .map((loop, i) => rowOf(loop, kernels[i] ?? '', /** @type {any} */ (simulated[i])))
  .sort((a, b) => a.kernel.localeCompare(b.kernel, 'en', { numeric: true }) || b.fmas - a.fmas);
const { commit, changed, date } = describeMachine();
const how = `llvm-mca ${mca.version}, its model of the ${model} (units ${modelUnits}*), at commit ${commit}, ${date.slice(0, 10)}`;
const text = markdown(rows, how, compiledBy);
if (values.print) {
  process.stdout.write(text);
} else {
  const json = {
    bench: 'arm64-mca',
    cpu,
    model,
    llvm: mca.version,
    compiledBy,
    iterations,
    commit,
    changed,
    date,
    rows,
  };
  writeFileSync(
    new URL('results/arm64-mca.json', import.meta.url),
    `${JSON.stringify(json, undefined, 2)}\n`,
  );
  writeFileSync(new URL('results/arm64-mca.md', import.meta.url), text);
}
