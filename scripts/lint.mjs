// Checks everything that a machine can check: format and lint of both languages, types, the lock file.
// --write repairs what can be repaired. A C++ tool that is missing is an error under CI=true, a warning elsewhere.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { filesBelow, root } from './lib/files.mjs';
import { isAvailable, runLoud, runQuiet } from './lib/run.mjs';

const write = process.argv.includes('--write');
const require = createRequire(import.meta.url);

function checkFormatAndLint() {
  const biome = require.resolve('@biomejs/biome/bin/biome');
  return runLoud(process.execPath, [
    biome,
    'check',
    '--error-on-warnings',
    ...(write ? ['--write'] : []),
    '.',
  ]);
}

function checkTypes(config) {
  const tsc = require.resolve('typescript/bin/tsc');
  return runLoud(process.execPath, [tsc, '-p', join(root, config), '--noEmit']);
}

/** The lock file says which packages, by version and hash, and not from where: any registry may serve them. */
function checkLockFile() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const isAddress = (text) => /^(https?|git|ssh)\b.*:/.test(text);
  const located = Object.entries(packages).filter(
    ([, { resolved, version = '', dependencies = {} }]) =>
      resolved !== undefined || [version, ...Object.values(dependencies)].some(isAddress),
  );
  for (const [path] of located) console.error(`package-lock.json: expected no download address in "${path}"`);
  return located.length > 0 ? 1 : 0;
}

/** 0 when the check can be skipped for want of `tool`, 1 when it must not be, undefined when the tool is there. */
function verdictWithout(tool) {
  if (isAvailable(tool)) return undefined;
  const advice = `${tool} not found. Debian, Ubuntu: sudo apt-get install -y ${tool}`;
  if (process.env['CI'] === 'true') {
    console.error(`error: ${advice}`);
    return 1;
  }
  console.error(`warning: ${advice}; its checks are skipped`);
  return 0;
}

function checkNativeFormat() {
  const files = ['native', join('bench', 'native')]
    .flatMap((directory) => filesBelow(join(root, directory)))
    .filter((path) => /\.(cc|h|inc)$/.test(path));
  const mode = write ? ['-i'] : ['--dry-run', '-Werror'];
  return verdictWithout('clang-format') ?? runLoud('clang-format', [...mode, ...files]);
}

/** clang-tidy over every translation unit but those of isa/, whose target regions are written for GCC. */
async function checkNativeLint() {
  const verdict = verdictWithout('clang-tidy') ?? verdictWithout('cmake');
  if (verdict !== undefined) return verdict;
  const directory = join(root, 'build', 'lint');
  const settings = ['-DESPALIER_BUILD_TESTS=OFF', '-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON'];
  const configured = await runQuiet('cmake', ['-S', root, '-B', directory, ...settings]);
  const commands = join(directory, 'compile_commands.json');
  if (configured.status !== 0 || !existsSync(commands)) {
    console.error(`${configured.output}\ncmake wrote no ${commands}`);
    return 1;
  }
  const isa = join(root, 'native', 'isa');
  const files = JSON.parse(readFileSync(commands, 'utf8'))
    .map(({ file }) => file)
    .filter((file) => !file.startsWith(isa));
  return forEachInParallel([...new Set(files)], async (file) => {
    const { status, output } = await runQuiet('clang-tidy', ['--quiet', '-p', directory, file]);
    if (status !== 0) console.error(output);
    return status;
  });
}

/** Runs `task` over `items`, as many at a time as there are CPUs; resolves to the largest status. */
async function forEachInParallel(items, task) {
  const waiting = [...items];
  let worst = 0;
  const worker = async () => {
    for (let item = waiting.pop(); item !== undefined; item = waiting.pop())
      worst = Math.max(worst, await task(item));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return worst;
}

const checks = [
  { name: 'format and lint (biome)', check: checkFormatAndLint },
  { name: 'types of src', check: () => checkTypes('tsconfig.json') },
  { name: 'types of test and bench', check: () => checkTypes('tsconfig.test.json') },
  { name: 'package-lock.json', check: checkLockFile },
  {
    name: 'tables of README.md and docs, the figure',
    check: () => runLoud(process.execPath, ['bench/report.mjs', '--check']),
  },
  {
    name: 'docs/conformance.md',
    check: () => runLoud(process.execPath, ['scripts/conformance.mjs', '--check']),
  },
  { name: 'C++ format (clang-format)', check: checkNativeFormat },
  { name: 'C++ lint (clang-tidy)', check: checkNativeLint },
];

const failed = [];
for (const { name, check } of checks) {
  console.error(`lint: ${name}`);
  if ((await check()) !== 0) failed.push(name);
}
if (failed.length > 0) console.error(`lint failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
