import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { cli, modelFolder } from './models.js';

let folder = '';
let remove = async () => {};
const at = (name: string) => path.join(folder, name);

beforeAll(async () => {
  ({ folder, remove } = await modelFolder());
  const prune = [
    'prune',
    at('model.onnx'),
    '--sparsity',
    '0.8',
    '--pattern',
    '16x1',
    '-o',
    at('pruned.onnx'),
  ];
  expect((await cli(...prune)).code).toBe(0);
  const cache = await mkdtemp(path.join(tmpdir(), 'espalier-cache-'));
  vi.stubEnv('XDG_CACHE_HOME', cache);
});
afterAll(async () => {
  const cache = process.env['XDG_CACHE_HOME'] ?? '';
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true });
  await remove();
});

describe('explain', () => {
  test('prints a line for each layer', async () => {
    const { code, out, err } = await cli('explain', at('pruned.onnx'), '--threads', '1');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^layer +op +outputs x inputs +n +zeros +format +bytes +candidates +otherwise$/m);
    expect(out).toMatch(
      /^hidden +MatMul +64 x 32 +1 +79\.7 % 16x1 +block16 .*dense .*dense at \d+\.\d % 16x1$/m,
    );
  });

  test('prints JSON', async () => {
    const args = ['explain', at('dynamic.onnx'), '--shape', 'x=7,32', '--threads', '1', '--json'];
    const { layers, threads } = JSON.parse((await cli(...args)).out);
    expect(threads).toBe(1);
    const hidden = { name: 'hidden', op: 'MatMul', groups: 1, outputs: 64, inputs: 32, n: 7 };
    const zeros = { pattern: 'dense', sparsity: 0, format: 'dense', storage: 'float32', bytes: 64 * 32 * 4 };
    expect(layers[0]).toMatchObject({ ...hidden, ...zeros, reason: 'next to no zeros' });
    expect(layers[0].candidates[0].predictedMicroseconds).toBeGreaterThan(0);
    expect(layers[0].changesAt.map(({ pattern }: { pattern: string }) => pattern)).toEqual([
      'unstructured',
      '16x1',
    ]);
    expect(layers[1]).toMatchObject({ name: 'head', outputs: 8, inputs: 64 });
  });

  test('--tune measures candidates, and keeps the figures for the next time', async () => {
    const args = ['explain', at('pruned.onnx'), '--threads', '1', '--tune', '--json'];
    const measured = async () => {
      const { code, out, err } = await cli(...args);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      return JSON.parse(out).layers[0];
    };
    const first = await measured();
    const times = first.candidates.filter(
      ({ measuredMicroseconds }: { measuredMicroseconds?: number }) => measuredMicroseconds !== undefined,
    );
    expect(times.length).toBeGreaterThanOrEqual(2);
    expect(times.map(({ format }: { format: string }) => format)).toContain('dense');
    expect(first.reason).toMatch(/^measured: /);
    expect(await readdir(path.join(process.env['XDG_CACHE_HOME'] ?? '', 'espalier'))).toEqual([
      expect.stringMatching(/^tune-[0-9a-f]{16}\.json$/),
    ]);
    expect((await measured()).candidates).toEqual(first.candidates);
  });

  test.each([
    [['--spin', '-1'], /Expected a whole number >= 0/],
    [['--weight-storage', 'int8'], /Allowed choices are float32, float16/],
    [['--tume'], /unknown option '--tume'/],
    [['--spin', '10000000'], /spin to be at most 1000000, got 10000000/],
  ])('%j is a usage error', async (args, message) => {
    const { code, out, err } = await cli('explain', at('model.onnx'), ...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
  });

  test('run and bench take the options of a session too', async () => {
    const options = ['--threads', '2', '--spin', '20', '--tune', '--weight-storage', 'float16', '--json'];
    for (const command of [
      ['run', at('pruned.onnx')],
      ['bench', at('pruned.onnx'), '--runs', '2'],
    ]) {
      expect(await cli(...command, ...options)).toMatchObject({ code: 0, err: '' });
    }
  });
});
