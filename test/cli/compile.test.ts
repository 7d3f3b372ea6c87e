import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTensors } from '../../src/formats/index.js';
import { readOnnx } from '../../src/formats/onnx/index.js';
import { historyOf } from '../../src/graph/history.js';
import { cli, modelFolder } from './models.js';

let folder = '';
let remove = async () => {};
const at = (name: string) => path.join(folder, name);

beforeAll(async () => {
  ({ folder, remove } = await modelFolder());
  const pruned = ['--sparsity', '0.75', '--pattern', '16x1', '-o', at('pruned.onnx')];
  await cli('prune', at('dynamic.onnx'), ...pruned);
});
afterAll(() => remove());

describe('compile', () => {
  test('writes a file that the other commands take', async () => {
    const output = at('model.esp');
    const { code, out, err } = await cli(
      'compile',
      at('pruned.onnx'),
      '--shape',
      'x=1,32',
      '-o',
      output,
      '--json',
    );
    expect(code).toBe(0);
    expect(err).toContain(`wrote ${output}`);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ output, bytes: (await stat(output)).size });
    expect(report.weights.map(({ format }: { format: string }) => format)).not.toContain(undefined);

    const inspected = JSON.parse((await cli('inspect', output, '--verify', '--json')).out);
    expect(inspected).toMatchObject({
      operators: { MatMul: 2, Relu: 1 },
      layers: [{ sparsity: 0.75, pattern: '16x1' }, { sparsity: 0.75 }],
      compiled: { version: 2, shapes: { x: [1, 32] }, storage: 'float32', verified: true },
    });
    expect(inspected.compiled.history).toMatchObject([{ step: 'prune', sparsity: 0.75, pattern: '16x1' }]);
    const text = (await cli('inspect', output)).out;
    expect(text).toMatch(/^compiled +version 2 by espalier/m);
    expect(text).toMatch(/^w1 +block/m);

    const run = async (file: string) =>
      JSON.parse((await cli('run', file, '--shape', 'x=3,32', '--json')).out).outputs[0];
    expect((await run(output)).first).toHaveLength(5);
    expect((await cli('bench', output, '--shape', 'x=1,32', '--runs', '2', '--json')).code).toBe(0);
    const explained = JSON.parse((await cli('explain', output, '--shape', 'x=1,32', '--json')).out);
    expect(explained.layers.map(({ format }: { format: string }) => format)).toEqual(
      report.weights.map(({ format }: { format: string }) => format),
    );
  });

  test('writes a model that convert, diff, prune and compile read again, to the bit', async () => {
    const [file, back, again] = [at('c.esp'), at('c.onnx'), at('c2.esp')] as const;
    const shape = ['--shape', 'x=1,32'];
    expect((await cli('compile', at('pruned.onnx'), ...shape, '-o', file)).code).toBe(0);
    expect((await cli('convert', file, back)).code).toBe(0);
    const [before, after] = [await readOnnx(at('pruned.onnx')), await readOnnx(back)];
    expect(after.nodes).toEqual(before.nodes);
    expect(historyOf(after)).toBe(historyOf(before));
    for (const [name, { bytes }] of before.constants) expect(after.constants.get(name)?.bytes).toEqual(bytes);
    expect((await cli('convert', file, at('c.safetensors'))).code).toBe(0);
    expect([...(await readTensors(at('c.safetensors'))).keys()]).toEqual([...before.constants.keys()]);

    const report = JSON.parse((await cli('diff', at('pruned.onnx'), file, ...shape, '--json')).out);
    expect(report.structure).toEqual({ interface: [], onlyInA: [], onlyInB: [], changed: [] });
    for (const { difference } of [...report.tensors, ...report.outputs])
      expect(difference).toEqual({ max: 0, relative: 0, share: 0 });

    expect((await cli('compile', file, ...shape, '-o', again)).code).toBe(0);
    expect(await readFile(again)).toEqual(await readFile(file));
    const sparser = ['--sparsity', '0.9', '--pattern', '16x1', '-o', at('c9.onnx')];
    expect((await cli('prune', file, ...sparser)).code).toBe(0);
    expect(JSON.parse(historyOf(await readOnnx(at('c9.onnx'))) ?? '')).toMatchObject([
      { sparsity: 0.75 },
      { sparsity: 0.9 },
    ]);
    const refused = await cli('convert', back, at('c3.esp'));
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringContaining('"espalier compile" writes .esp'),
    });

    for (const args of [
      ['compile', back, ...shape, '-o', back, '--force'],
      ['prune', back, '--sparsity', '0.5', '-o', at('c4.safetensors')],
    ])
      expect(await cli(...args)).toMatchObject({
        code: 2,
        err: expect.stringContaining('the name of a model'),
      });
    const weights = await cli('compile', at('c.safetensors'), '-o', at('c5.esp'));
    expect(weights).toMatchObject({ code: 1, err: expect.stringContaining('got another safetensors file') });

    const bytes = await readFile(file);
    bytes[bytes.length - 100] = (bytes[bytes.length - 100] as number) ^ 1;
    await writeFile(at('damaged.esp'), bytes);
    const damaged = await cli('convert', at('damaged.esp'), at('d.onnx'));
    expect(damaged).toMatchObject({ code: 1, err: expect.stringContaining('the file is damaged') });
  });

  test('says what is wrong, and keeps files', async () => {
    const missing = await cli('compile', at('pruned.onnx'), '-o', at('none.esp'));
    expect(missing).toMatchObject({ code: 1, out: '' });
    expect(missing.err).toContain('Expected dims of input "x"');
    const unknown = await cli('compile', at('pruned.onnx'), '--shape', 'z=1', '-o', at('none.esp'));
    expect(unknown.code).toBe(2);
    expect(await stat(at('none.esp')).catch(() => 'none')).toBe('none');
    await writeFile(at('precious.esp'), 'precious');
    expect((await cli('compile', at('pruned.onnx'), '--tokens', '1', '-o', at('precious.esp'))).code).toBe(1);
    expect(await readFile(at('precious.esp'), 'utf8')).toBe('precious');
    expect((await cli('inspect', at('pruned.onnx'), '--verify')).code).toBe(2);
  });

  test('--verify finds damage', async () => {
    const output = at('damaged.esp');
    await cli('compile', at('pruned.onnx'), '--tokens', '1', '-o', output);
    const bytes = await readFile(output);
    bytes[bytes.length - 200] = (bytes[bytes.length - 200] as number) ^ 1;
    await writeFile(output, bytes);
    const { code, err } = await cli('inspect', output, '--verify');
    expect(code).toBe(1);
    expect(err).toMatch(/the file is damaged \(ERR_ESPALIER_MODEL\)/);
  });
});
