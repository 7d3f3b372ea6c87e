import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onnxFiles } from '../../src/cli/onnx_output.js';
import { readOnnx } from '../../src/formats/onnx/index.js';
import { cli, mlp, modelFolder } from './models.js';

let folder = '';
let remove = async () => {};
const at = (name: string) => path.join(folder, name);

beforeAll(async () => {
  ({ folder, remove } = await modelFolder());
});
afterAll(() => remove());

test('convert and prune write constants beside the model, and inspect says so', async () => {
  const convert = (...more: string[]) =>
    cli('convert', at('model.onnx'), at('split.onnx'), '--external-data', '--json', ...more);
  const { code, out } = await convert();
  expect(code).toBe(0);
  expect(JSON.parse(out).files.map(({ file }: { file: string }) => path.basename(file))).toEqual([
    'split.onnx.data',
    'split.onnx',
  ]);
  expect((await readOnnx(at('split.onnx'))).constants).toEqual((await readOnnx(at('model.onnx'))).constants);
  expect((await cli('inspect', at('split.onnx'))).out).toContain(
    'external    1 constants in split.onnx.data',
  );
  expect((await convert()).err).toMatch(
    /Expected no file at ".*split.onnx.data", got one; --force replaces it/,
  );
  expect((await convert('--force')).code).toBe(0);
  const prune = ['prune', at('split.onnx'), '--sparsity', '0.9', '-o', at('p.onnx')];
  expect((await cli(...prune, '--sparse-initializers')).code).toBe(0);
  expect((await cli('inspect', at('p.onnx'))).out).toContain(
    'sparse      2 constants as values and positions',
  );
  expect((await readdir(folder)).filter((name) => name.startsWith('.espalier'))).toEqual([]);
});

test('a model that is too large for one file becomes two without being asked', () => {
  expect([...onnxFiles(mlp(), 'big.onnx', {}, 4096).keys()]).toEqual(['big.onnx.data', 'big.onnx']);
  expect([...onnxFiles(mlp(), 'big.onnx', {}).keys()]).toEqual(['big.onnx']);
});

test('neither file changes when one cannot be written', async () => {
  await writeFile(at('only.onnx.data'), 'mine');
  const { code } = await cli('convert', at('model.onnx'), at('only.onnx'), '--external-data');
  expect(code).not.toBe(0);
  expect(await readFile(at('only.onnx.data'), 'utf8')).toBe('mine');
  await expect(readFile(at('only.onnx'))).rejects.toThrow();
});

test('the flags need an ONNX output', async () => {
  const { err } = await cli('convert', at('model.onnx'), at('w.npz'), '--external-data');
  expect(err).toMatch(/Expected an output of .onnx with --external-data, which does nothing otherwise/);
});
