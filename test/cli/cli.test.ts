import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cli, modelFolder } from './models.js';

let folder = '';
let remove = async () => {};
const at = (name: string) => path.join(folder, name);

beforeAll(async () => {
  ({ folder, remove } = await modelFolder());
});
afterAll(() => remove());

describe('inspect', () => {
  test('prints a table, or JSON', async () => {
    const { code, out, err } = await cli('inspect', at('model.onnx'));
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('inputs      x: float32 [1, 32]');
    expect(out).toContain('operators   MatMul 2, Relu 1');
    expect(out).toContain('parameters  2,560 in 2 constants, 10.0 KiB');
    expect(out).toMatch(/^hidden +MatMul +\[32, 64\] +2\.05 k +0\.0 % +0\.0 % +0\.0 % +0\.0 % +dense$/m);
    const report = JSON.parse((await cli('inspect', at('model.onnx'), '--json')).out);
    expect(report).toMatchObject({ operators: { MatMul: 2, Relu: 1 }, unsupported: null });
    expect(report.layers.map((layer: { weights: number }) => layer.weights)).toEqual([2048, 512]);
  });

  test('shows how a model was pruned', async () => {
    expect(JSON.parse((await cli('inspect', at('model.onnx'), '--json')).out).history).toEqual([]);
    const output = at('history.onnx');
    await cli('prune', at('model.onnx'), '--sparsity', '0.5', '-o', output);
    const { out } = await cli('inspect', output);
    expect(out).toMatch(/^history {5}\{"step":"prune","by":"espalier [^"]+",.*"sparsity":0\.5,.*\}$/m);
    const { history } = JSON.parse((await cli('inspect', output, '--json')).out);
    expect(history).toMatchObject([{ step: 'prune', sparsity: 0.5 }]);
  });

  test('a missing or broken model is exit code 1 with one line', async () => {
    const missing = await cli('inspect', at('nope.onnx'));
    expect(missing.code).toBe(1);
    expect(missing.err).toMatch(/^espalier: .*nope\.onnx.* \(ERR_ESPALIER_FILE\)\n$/);
    await writeFile(at('broken.onnx'), (await readFile(at('model.onnx'))).subarray(0, 5000));
    const broken = await cli('inspect', at('broken.onnx'));
    expect({ code: broken.code, out: broken.out }).toEqual({ code: 1, out: '' });
    expect(broken.err).toMatch(/^espalier: .* \(ERR_ESPALIER_MODEL\)\n$/);
  });
});

describe('prune', () => {
  const prune = (...args: string[]) => cli('prune', at('model.onnx'), '--sparsity', '0.75', ...args);

  test('writes a model with the zeros it reports', async () => {
    const output = at('pruned.onnx');
    const { code, out, err } = await prune('--pattern', '16x1', '-o', output, '--json');
    expect(code).toBe(0);
    expect(err).toContain(`wrote ${output}`);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ output, bytes: (await stat(output)).size, options: { pattern: '16x1' } });
    expect(report.layers[0]).toMatchObject({ name: 'hidden', units: 128, removedUnits: 96, sparsity: 0.75 });
    const inspected = JSON.parse((await cli('inspect', output, '--json')).out);
    expect(inspected.layers[0]).toMatchObject({
      zeros: 1536,
      blockSparsity: { '16x1': 0.75 },
      pattern: '16x1',
    });
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('N:M says its sparsity itself', async () => {
    const args = ['prune', at('model.onnx'), '--pattern', '2:4', '--json', '-o', at('nm.onnx')];
    const { code, out } = await cli(...args);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ sparsity: 0.5, options: { pattern: '2:4', sparsity: 0.5 } });
    const missing = await cli('prune', at('model.onnx'), '-o', at('none.onnx'));
    expect(missing).toMatchObject({ code: 2, out: '' });
    expect(missing.err).toContain('Expected planPruning options.sparsity to be given');
  });

  test('keeps an existing file unless --force', async () => {
    const output = at('existing.onnx');
    await writeFile(output, 'precious');
    const refused = await prune('-o', output);
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain('--force replaces it');
    expect(await readFile(output, 'utf8')).toBe('precious');
    expect((await prune('-o', output, '--force')).code).toBe(0);
    expect((await stat(output)).size).toBeGreaterThan(10_000);
  });

  test('names, operators and regular expressions choose layers', async () => {
    const layers = async (...args: string[]) => {
      const { out } = await prune('-o', at('chosen.onnx'), '--force', '--json', ...args);
      return JSON.parse(out).layers.map((layer: { name: string }) => layer.name);
    };
    expect(await layers('--include', 'head')).toEqual(['head']);
    expect(await layers('--exclude', 're:^he')).toEqual(['hidden']);
    expect(await layers('--operators', 'MatMul, MatMul ', '--scope', 'global')).toEqual(['hidden', 'head']);
  });

  test.each([
    [['-o', 'out.onnx', '--include', 'nope'], /ERR_ESPALIER_ARGUMENT/],
    [['-o', 'out.onnx', '--operators', 'Conv'], /the layers are "hidden" \(MatMul\), "head" \(MatMul\)/],
    [['-o', 'out.onnx', '--pattern', '2:2'], /Expected a pattern, unstructured, RxC .* got "2:2"/],
    [['-o', 'out.onnx', '--pattern', '2:4'], /sparsity to be 0\.5, as the pattern 2:4 says, .*got 0\.75/],
    [['-o', 'out.onnx', '--scope', 'all'], /Allowed choices are layer, row, global/],
    [['-o', 'out.onnx', '--include', 're:('], /Expected a regular expression after re:/],
    [['-o', 'out.onnx', '--sparsty', '0.5'], /unknown option '--sparsty'/],
    [['-o', 'out.onnx', '--sparsity', '1'], /a number in \[0, 1\), got 1/],
    [['-o', 'out.onnx', '--sparsity', 'half'], /Expected a number/],
    [['-o', ''], /Expected the name of a file/],
    [['-o', '-'], /Expected the name of a file/],
    [['-o', 'out.onnx', '--include', 'head', '--exclude', 'MatMul'], /to select a layer, got none/],
    [[], /required option '-o, --output <file>'/],
  ])('%j is a usage error', async (args, message) => {
    const { code, out, err } = await prune(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
  });

  test('a folder that is not there is exit code 1 and leaves nothing behind', async () => {
    const { code, err } = await prune('-o', at('no/such/out.onnx'));
    expect(code).toBe(1);
    expect(err).toMatch(/ERR_ESPALIER_FILE/);
  });
});

describe('run', () => {
  test('prints the outputs; the same seed gives the same', async () => {
    const run = async (...args: string[]) =>
      JSON.parse((await cli('run', at('model.onnx'), '--json', ...args)).out);
    const first = await run('--seed', '3');
    expect(first.outputs).toMatchObject([{ name: 'y2', type: 'float32', dims: [1, 8] }]);
    expect(first.outputs[0].first).toHaveLength(5);
    expect(await run('--seed', '3', '--threads', '1')).toEqual(first);
    expect(await run('--seed', '4')).not.toEqual(first);
    const table = await cli('run', at('model.onnx'));
    expect(table.out).toMatch(/^output +type +dims +min +max +mean +first values\ny2 +float32 +\[1, 8\]/);
  });

  test('reads inputs from .bin and .json, and writes outputs', async () => {
    const values = Float32Array.from({ length: 64 }, (_, i) => i / 64);
    await writeFile(at('x.bin'), new Uint8Array(values.buffer));
    await writeFile(at('x.json'), JSON.stringify({ dims: [2, 32], data: [...values] }));
    await writeFile(
      at('nested.json'),
      JSON.stringify([[...values.subarray(0, 32)], [...values.subarray(32)]]),
    );
    const outputs: Buffer[] = [];
    for (const [name, extra] of [
      ['x.bin', ['--shape', 'x=2,32']],
      ['x.json', []],
      ['nested.json', []],
    ] as const) {
      const { code, err } = await cli(
        'run',
        at('dynamic.onnx'),
        '--input',
        `x=${at(name)}`,
        ...extra,
        '--output-dir',
        at(`${name}.out`),
      );
      expect({ code, err }).toMatchObject({ code: 0, err: `wrote ${at(`${name}.out/y2.bin`)}\n` });
      outputs.push(await readFile(at(`${name}.out/y2.bin`)));
    }
    expect(outputs[0]).toHaveLength(2 * 8 * 4);
    expect(outputs[1]).toEqual(outputs[0]);
    expect(outputs[2]).toEqual(outputs[0]);
    const again = [
      'run',
      at('dynamic.onnx'),
      '--input',
      `x=${at('x.json')}`,
      '--output-dir',
      at('x.json.out'),
    ];
    expect((await cli(...again)).code).toBe(1);
    expect((await cli(...again, '--force')).code).toBe(0);
  });

  test.each([
    [
      ['dynamic.onnx'],
      2,
      /Expected --shape for input "x", whose dims are \[batch, 32\]: such as --shape x=1,32/,
    ],
    [['dynamic.onnx', '--shape', 'x=2,33'], 1, /fits \[batch, 32\], got \[2, 33\]/],
    [['dynamic.onnx', '--shape', 'z=2,32'], 2, /Expected --shape <input>=<value>, got "z=2,32"/],
    [
      ['dynamic.onnx', '--shape', 'x=2,32', '--shape', 'x=4,32'],
      2,
      /Expected one --shape for input "x", got "2,32" and "4,32"/,
    ],
    [
      ['dynamic.onnx', '--input', 'x=a.npy', '--input', 'x=b.npy'],
      2,
      /Expected one --input for input "x", got "a.npy" and "b.npy"/,
    ],
    [['dynamic.onnx', '--shape', 'x=2,-1'], 2, /Expected --shape x=<dims>/],
    [['model.onnx', '--input', 'x=nope.bin'], 1, /Expected a readable file for input "x" at "nope.bin"/],
    [['dynamic.onnx', '--shape', 'x=99999999999999,32'], 1, /memory for input "x".*ERR_ESPALIER_MEMORY/],
    [['model.onnx', '--threads', '0'], 2, /Expected a whole number >= 1/],
    [['model.onnx', '--isa', 'sse9'], 2, /Allowed choices are auto/],
  ])('%j is exit code %i', async ([model, ...args], expected, message) => {
    const { code, out, err } = await cli('run', at(model as string), ...args);
    expect({ code, out }).toEqual({ code: expected, out: '' });
    expect(err).toMatch(message);
  });

  test.each([
    ['short.bin', Buffer.alloc(100), /Expected 128 bytes for input "x", float32 \[1, 32\], got 100/],
    ['not.json', '{', /Expected JSON for input "x"/],
    ['text.json', '["a"]', /Expected float32 values for input "x"/],
    ['few.json', '[1, 2]', /Expected 32 values for dims \[1, 32\], got 2/],
    ['dims.json', '{"dims": [-1], "data": [1]}', /Expected "dims" of whole numbers/],
  ])('an input file %s that does not fit', async (name, content, message) => {
    await writeFile(at(name), content);
    const { code, err } = await cli('run', at('model.onnx'), '--input', `x=${at(name)}`);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });
});

describe('bench', () => {
  test('prints latency as text and JSON', async () => {
    const { code, out } = await cli(
      'bench',
      at('dynamic.onnx'),
      '--shape',
      'x=4,32',
      '--runs',
      '20',
      '--json',
    );
    expect(code).toBe(0);
    const { milliseconds, inputs } = JSON.parse(out);
    expect(inputs).toEqual([{ name: 'x', type: 'float32', dims: [4, 32] }]);
    expect(milliseconds.runs).toBe(20);
    expect(milliseconds.p50).toBeLessThanOrEqual(milliseconds.p99);
    expect(milliseconds.p99).toBeLessThanOrEqual(milliseconds.max);
    const text = await cli(
      'bench',
      at('model.onnx'),
      '--seconds',
      '0.05',
      '--warmup',
      '0',
      '--isa',
      'scalar',
    );
    expect(text).toMatchObject({ code: 0, err: '' });
    expect(text.out).toMatch(/p50 .*\np99 .*\nmax .*\nmean .* runs\/s/);
  });

  test('--profile says how long each step takes, and the format of its weights', async () => {
    const args = [at('dynamic.onnx'), '--shape', 'x=4,32', '--runs', '3', '--profile'];
    const { steps } = JSON.parse((await cli('bench', ...args, '--json')).out);
    expect(steps.length).toBeGreaterThan(0);
    expect(steps.some((step: { format?: string }) => step.format === 'dense')).toBe(true);
    const shares = steps.map((step: { share: number }) => step.share);
    expect(shares.reduce((sum: number, share: number) => sum + share, 0)).toBeCloseTo(1);
    expect((await cli('bench', ...args)).out).toMatch(/node +step +format +time +share/);
  });

  test.each([
    ['--runs', '0'],
    ['--seconds', '0'],
    ['--warmup', '-1'],
  ])('%s %s is a usage error', async (...args) => {
    expect((await cli('bench', at('model.onnx'), ...args)).code).toBe(2);
  });
});

test('doctor says what it found', async () => {
  const { code, out } = await cli('doctor', '--json');
  const found = JSON.parse(out);
  expect(code).toBe(found.addon.loads ? 0 : 1);
  expect(found).toMatchObject({ addon: { loads: true, error: null }, machine: { node: process.version } });
  expect(found.isa.available).toContain('scalar');
  expect((await cli('doctor')).out).toMatch(/^espalier +\d+\.\d+\.\d+\nnode +v/);
});

test('help and version are exit code 0, no or an unknown command 2', async () => {
  expect(await cli('--version')).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  });
  expect((await cli('--help')).code).toBe(0);
  for (const command of ['inspect', 'prune', 'run', 'bench', 'doctor']) {
    expect((await cli(command, '--help')).out).toContain('--json');
  }
  expect(await cli()).toMatchObject({ code: 2, out: '' });
  expect(await cli('prun')).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringContaining("unknown command 'prun'"),
  });
  expect((await cli('inspect', 'a', 'b')).code).toBe(2);
});

test('an output folder that cannot be written is exit code 1', async () => {
  if (process.getuid?.() === 0) return; // root may write anywhere
  await chmod(folder, 0o500);
  const { code } = await cli('prune', at('model.onnx'), '--sparsity', '0.5', '-o', at('locked.onnx'));
  await chmod(folder, 0o700);
  expect(code).toBe(1);
});
