import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelFolder } from './models.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
let folder = '';
let remove = async () => {};

beforeAll(async () => {
  ({ folder, remove } = await modelFolder());
});
afterAll(() => remove());

describe('the built command', () => {
  const run = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

  test('data on stdout, the rest on stderr, exit codes 0, 1, 2', () => {
    const good = run('inspect', path.join(folder, 'model.onnx'), '--json');
    expect({ status: good.status, stderr: good.stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(good.stdout).layers).toHaveLength(2);
    const failed = run('inspect', path.join(folder, 'nope.onnx'));
    expect({ status: failed.status, stdout: failed.stdout }).toEqual({ status: 1, stdout: '' });
    expect(failed.stderr).not.toContain('    at ');
    expect(run('inspect').status).toBe(2);
  });

  test('no progress bar when piped', () => {
    const { status, stderr } = run('bench', path.join(folder, 'model.onnx'), '--runs', '50', '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('a reader that closes the pipe is no crash', async () => {
    const child = spawn(process.execPath, [main, 'inspect', path.join(folder, 'model.onnx'), '--json']);
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
