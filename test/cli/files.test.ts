import { spawn, spawnSync } from 'node:child_process';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeWhole } from '../../src/cli/files.js';
import { Tensor } from '../../src/tensor.js';
import { printable } from '../../src/text.js';

const bytes = Buffer.from('new');
const posix = process.platform !== 'win32';
let folder = '';
const at = (name: string) => path.join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'espalier-files-'));
});
afterEach(() => rm(folder, { recursive: true }));

test.runIf(posix)('--force follows a link and keeps the mode', async () => {
  await writeFile(at('file'), 'old');
  await chmod(at('file'), 0o640);
  await symlink('file', at('link'));
  await writeWhole(at('link'), bytes, true);
  expect(await readlink(at('link'))).toBe('file');
  expect(await readFile(at('file'), 'utf8')).toBe('new');
  expect((await stat(at('file'))).mode & 0o777).toBe(0o640);
});

test.runIf(posix)('--force refuses what is not a regular file', async () => {
  spawnSync('mkfifo', [at('pipe')]);
  await expect(writeWhole(at('pipe'), bytes, true)).rejects.toThrow(/got named pipe/);
  await expect(writeWhole('/dev/null', bytes, true)).rejects.toThrow(/got device "\/dev\/null"/);
  expect((await stat(at('pipe'))).isFIFO()).toBe(true);
});

test('a long legal name is written, a name too long is refused', async () => {
  await writeWhole(at('a'.repeat(240)), bytes, false);
  const refused = writeWhole(at('a'.repeat(300)), bytes, false);
  await expect(refused).rejects.toMatchObject({ code: 'ERR_ESPALIER_FILE' });
  expect(await readdir(folder)).toEqual(['a'.repeat(240)]);
});

const program = new URL('../../dist/cli/program.js', import.meta.url);

/** Somebody who may not write everywhere, as root may. */
const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
const runCommands = `import { runCli } from ${JSON.stringify(program.href)};
  for (const command of JSON.parse(process.argv[1])) {
    const out = (text) => process.stdout.write(text);
    console.log(await runCli(command, { out, err: out, interactive: false }));
  }`;
const run = (commands: readonly string[][]) =>
  spawnSync(process.execPath, ['--input-type=module', '-e', runCommands, JSON.stringify(commands)], user);
const canRun = run([]).status === 0;

test.runIf(posix && canRun)('a folder that cannot be written to is refused before any work', async () => {
  await mkdir(at('locked'));
  await mkdir(at('open'));
  await writeFile(at('locked/there'), '');
  await symlink('../locked/there', at('open/link.onnx'));
  await chmod(at('open'), 0o777);
  await chmod(at('locked'), 0o555);
  await chmod(folder, 0o755);
  const { stdout } = run([
    ['compile', at('none.onnx'), '-o', at('locked/x.esp')],
    ['prune', at('none.onnx'), '--sparsity', '0.5', '-o', at('locked/x.onnx')],
    ['prune', at('none.onnx'), '--sparsity', '0.5', '--force', '-o', at('open/link.onnx')],
    ['sensitivity', at('none.onnx'), '--calibration', at('none.npz'), '-o', at('locked/x.json')],
    ['convert', at('none.onnx'), at('locked/x.npz')],
  ]);
  const refused = `espalier: .*that can be written to at ".*locked": EACCES.*ERR_ESPALIER_FILE.\n1\n`;
  expect(String(stdout)).toMatch(new RegExp(`^(${refused}){5}$`));
  await chmod(at('locked'), 0o755);
});

test.runIf(posix).each(['SIGINT', 'SIGTERM'] as const)('%s leaves no temporary file', async (signal) => {
  const files = new URL('../../dist/cli/files.js', import.meta.url);
  const script = `import { writeWhole } from ${JSON.stringify(files.href)};
    import { readdirSync } from 'node:fs';
    const busy = setInterval(() => {
      if (readdirSync(process.argv[1]).some((name) => name.endsWith('.tmp'))) {
        clearInterval(busy);
        process.kill(process.pid, ${JSON.stringify(signal)});
      }
    });
    await writeWhole(process.argv[1] + '/big', new Uint8Array(2 ** 27), false);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder]);
  const ended = await new Promise((resolve) => child.on('close', (_code, by) => resolve(by)));
  expect(ended).toBe(signal);
  expect(await readdir(folder)).toEqual([]);
});

test('names cannot steer a terminal', () => {
  expect(printable('a\u202eb\u2028c\u2066d\u009be\nf')).toBe('a\\u202eb\\u2028c\\u2066d\\u009be\\nf');
});

test.each([
  ['toString', [1], /Expected a tensor type/],
  ['int64', ['x'], /Expected integers for a int64 tensor, got a value of type string at 0/],
  ['float32', [undefined], /Expected numbers for a float32 tensor, got a value of type undefined at 0/],
])('a tensor of %s %j is a type error', (type, data, message) => {
  const create = () => new Tensor(type as 'int64', data as number[], [1]);
  expect(create).toThrow(message);
  expect(create).toThrow(expect.objectContaining({ code: 'ERR_ESPALIER_TYPE' }));
});
