import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
      compiled: { version: 1, shapes: { x: [1, 32] }, storage: 'float32', verified: true },
    });
    expect(inspected.compiled.history).toMatchObject([{ step: 'prune', sparsity: 0.75, pattern: '16x1' }]);
    const text = (await cli('inspect', output)).out;
    expect(text).toMatch(/^compiled +version 1 by espalier/m);
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
