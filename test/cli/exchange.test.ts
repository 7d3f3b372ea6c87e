import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeNpy, encodeSafetensors, readTensors } from '../../src/formats/index.js';
import { readOnnx } from '../../src/formats/onnx/index.js';
import { fromNumbers, loadWeights, readNumbers, type TensorData } from '../../src/graph/index.js';
import { cli, json, mlp, modelFolder } from './models.js';

let folder = '';
let remove = async () => {};
const at = (name: string) => path.join(folder, name);

beforeAll(async () => {
  ({ folder, remove } = await modelFolder());
});
afterAll(() => remove());

describe('convert', () => {
  test('takes weights from ONNX to safetensors, npz and back, to the bit', async () => {
    const { constants } = await readOnnx(at('model.onnx'));
    expect(await json('convert', at('model.onnx'), at('w.safetensors'))).toMatchObject({
      files: [{ file: at('w.safetensors'), bytes: (await readFile(at('w.safetensors'))).length }],
    });
    for (const [from, to] of [
      ['w.safetensors', 'w.npz'],
      ['w.npz', 'again.safetensors'],
    ] as const)
      await json('convert', at(from), at(to));
    for (const name of ['w.safetensors', 'w.npz', 'again.safetensors'])
      expect(new Map(await readTensors(at(name))), name).toEqual(constants);
    expect(await readFile(at('again.safetensors'))).toEqual(await readFile(at('w.safetensors')));
    await json('convert', at('model.onnx'), at('loaded.onnx'), '--weights', at('w.safetensors'));
    expect(await readFile(at('loaded.onnx'))).toEqual(await readFile(at('model.onnx')));
  });

  test('loads weights by name, transposed and partly', async () => {
    const w1 = mlp().constants.get('w1') as TensorData;
    const turned = fromNumbers(
      'float32',
      [64, 32],
      Array.from({ length: 2048 }, (_, i) => i),
    );
    await writeFile(
      at('t.safetensors'),
      encodeSafetensors(
        new Map([
          ['w1', turned],
          ['x', w1],
        ]),
      ),
    );
    const convert = (...args: string[]) =>
      cli('convert', at('model.onnx'), at('t.onnx'), '--weights', at('t.safetensors'), ...args);
    expect(await convert()).toMatchObject({ code: 2, err: expect.stringMatching(/constant for tensor "x"/) });
    expect((await convert('--ignore-unknown', '--transposed', 're:^w')).code).toBe(0);
    const loaded = readNumbers((await readOnnx(at('t.onnx'))).constants.get('w1') as TensorData);
    expect(loaded.slice(0, 3)).toEqual([0, 32, 64]);
  });

  test('splits safetensors, and reads the index', async () => {
    await json('convert', at('model.onnx'), at('s.safetensors'), '--shard-bytes', '9000');
    const names = [
      's-00001-of-00002.safetensors',
      's-00002-of-00002.safetensors',
      's.safetensors.index.json',
    ];
    expect((await readdir(folder)).filter((name) => name.startsWith('s')).sort()).toEqual(names);
    await json('convert', at('s.safetensors.index.json'), at('joined.npz'));
    expect(new Map(await readTensors(at('joined.npz')))).toEqual(mlp().constants);
  });

  test('split again, what is left of an earlier split goes, and nothing else', async () => {
    const others = [
      'r-00001-of-2.safetensors',
      'r-extra.safetensors',
      'rr-00001-of-00002.safetensors',
      'r.npz',
    ];
    for (const name of others) await writeFile(at(name), 'mine');
    const split = (bytes: number, ...args: string[]) =>
      json('convert', at('model.onnx'), at('r.safetensors'), '--shard-bytes', `${bytes}`, ...args);
    const left = async () => (await readdir(folder)).filter((name) => name.startsWith('r')).sort();
    const shards = [
      'r-00001-of-00002.safetensors',
      'r-00002-of-00002.safetensors',
      'r.safetensors.index.json',
    ];
    expect(await split(20000)).toMatchObject({ removed: [] });
    expect(await split(9000, '--force')).toMatchObject({ removed: [at('r.safetensors')] });
    expect(await left()).toEqual([...shards, ...others].sort());
    await writeFile(at('r-00001-of-00003.safetensors'), 'of a split into three');
    await split(9000, '--force');
    expect(await left()).toEqual([...shards, ...others].sort());
    expect((await split(20000, '--force')).removed).toEqual(shards.map(at));
    expect(await left()).toEqual(['r.safetensors', ...others].sort());
    for (const name of others) expect(await readFile(at(name), 'utf8')).toBe('mine');
  });

  test.each([
    [['model.onnx', 'w.txt'], 2, /ends with .onnx, .safetensors, .npz, .npy/],
    [['model.onnx', 'one.npy'], 2, /one tensor to write as .npy, got 2/],
    [['in.npy', 'a.onnx'], 2, /a graph to write as ONNX, got the tensors of a npy file/],
    [['model.onnx', 'model.onnx'], 1, /--force replaces it/],
    [['model.onnx', 'a.onnx', '--transposed', 'w1'], 2, /--weights with --transposed/],
    [['in.npy', 'a.npz', '--weights', 'in.npy'], 2, /an ONNX model to load --weights into/],
    [['model.onnx', 'a.npz', '--shard-bytes', '9'], 2, /an output of .safetensors with --shard-bytes/],
    [['nope.npz', 'a.npz'], 1, /Expected a readable model or file of tensors/],
  ])('%j is refused', async (args, code, message) => {
    await writeFile(at('in.npy'), encodeNpy(fromNumbers('float32', [1, 2], [1, 2])));
    const paths = args.map((arg) => (/^[a-z]+\.[a-z]+$/.test(arg) ? at(arg) : arg));
    const result = await cli('convert', ...paths);
    expect(result.err).toMatch(message);
    expect(result.code).toBe(code);
  });
});

describe('inspect', () => {
  test('tells what files of tensors hold', async () => {
    const tensors = new Map([
      ['w', fromNumbers('bfloat16', [2, 2], [0, 1, 0, 0])],
      ['i', fromNumbers('int64', [3], [0, 7, 8])],
      ['e', fromNumbers('float32', [0], [])],
    ]);
    await writeFile(at('i.safetensors'), encodeSafetensors(tensors, { metadata: { note: 'a\nb' } }));
    const { out } = await cli('inspect', at('i.safetensors'));
    expect(out).toContain('metadata    note: a\\nb');
    expect(out).toContain('parameters  7 in 3 tensors, 32 B');
    expect(out).toMatch(/^w +bfloat16 +\[2, 2\] +4 +75\.0 %$/m);
    const report = await json('inspect', at('i.safetensors'));
    expect(report).toMatchObject({ format: 'safetensors', metadata: { note: 'a\nb' }, elements: 7 });
    expect(report.tensors.find(({ name }: { name: string }) => name === 'i')).toEqual({
      name: 'i',
      type: 'int64',
      dims: [3],
      elements: 3,
      bytes: 24,
      zeros: 1,
      sparsity: 1 / 3,
    });
    await writeFile(at('x.npy'), encodeNpy(fromNumbers('float32', [2], [0, 1])));
    expect(await json('inspect', at('x.npy'))).toMatchObject({
      format: 'npy',
      tensors: [{ name: 'x', zeros: 1 }],
    });
  });
});

describe('diff', () => {
  test('of a model and itself finds nothing', async () => {
    const report = await json('diff', at('model.onnx'), at('model.onnx'));
    expect(report.structure).toEqual({ interface: [], onlyInA: [], onlyInB: [], changed: [] });
    expect(report.tensors).toHaveLength(2);
    for (const { difference } of [...report.tensors, ...report.outputs])
      expect(difference).toEqual({ max: 0, relative: 0, share: 0 });
    const { out } = await cli('diff', at('model.onnx'), at('model.onnx'));
    expect(out).toMatch(/structure {3}same nodes\ntensors {5}2 of 2 are the same\n/);
  });

  test('of a model and its pruned copy says which zeros came, and what they do to outputs', async () => {
    await json('prune', at('model.onnx'), '--sparsity', '0.5', '--include', 'hidden', '-o', at('half.onnx'));
    const [before, after] = [mlp(), await readOnnx(at('half.onnx'))].map((graph) =>
      readNumbers(graph.constants.get('w1') as TensorData),
    );
    const removed = (before ?? []).filter((_, i) => after?.[i] === 0).map(Math.abs);
    const report = await json('diff', at('model.onnx'), at('half.onnx'), '--seed', '3');
    expect(report.tensors[0]).toMatchObject({
      name: 'w1',
      a: { type: 'float32', dims: [32, 64], sparsity: 0 },
      b: { sparsity: 0.5 },
      difference: { max: Math.max(...removed), share: 0.5 },
    });
    expect(report.tensors[1].difference.max).toBe(0);
    expect(report.outputs).toMatchObject([
      { name: 'y2', type: 'float32', dims: [1, 8], difference: { share: 1 } },
    ]);
    expect(report.outputs[0].difference.max).toBeGreaterThan(0.1);
    const { out } = await cli('diff', at('model.onnx'), at('half.onnx'));
    expect(out).toMatch(
      /^w1 +float32 \[32, 64\] +float32 \[32, 64\] +0\.0 % +50\.0 % +0\.\d+ +0\.\d+ +50\.0 %$/m,
    );
  });

  test('finds other nodes, inputs and tensors', async () => {
    const graph = mlp();
    const { exportOnnx } = await import('../../src/formats/onnx/index.js');
    const nodes = graph.nodes.map((node) => (node.op === 'Relu' ? { ...node, op: 'Tanh' } : node));
    const other = loadWeights(
      graph,
      new Map([['w2', fromNumbers('float32', [64, 8], new Array(512).fill(1))]]),
    );
    const changed = { ...other, nodes, opsets: new Map([['', 18]]) };
    await writeFile(at('other.onnx'), exportOnnx(changed));
    const report = await json('diff', at('model.onnx'), at('other.onnx'), '--no-run');
    expect(report.structure).toEqual({
      interface: ['opset ai.onnx: 17 -> 18'],
      onlyInA: [],
      onlyInB: [],
      changed: ['act'],
    });
    expect(report).toMatchObject({ outputs: null, notRun: '--no-run' });
    const dynamic = await json('diff', at('model.onnx'), at('dynamic.onnx'));
    expect(dynamic.structure.interface).toEqual([
      'input x: float32 [1, 32] -> float32 [batch, 32]',
      'output y2: float32 [1, 8] -> float32 [batch, 8]',
    ]);
    expect(dynamic.outputs[0].difference.max).toBe(0);
  });

  test('compares a model with tensors, and says why it does not run', async () => {
    await writeFile(
      at('f.safetensors'),
      encodeSafetensors(new Map([['w1', fromNumbers('float64', [2], [1, Number.NaN])]])),
    );
    const report = await json('diff', at('model.onnx'), at('f.safetensors'));
    expect(report).toMatchObject({ structure: null, notRun: 'only models can be run' });
    expect(
      report.tensors.map(({ b, difference }: { b: unknown; difference: unknown }) => [b, difference]),
    ).toEqual([
      [{ type: 'float64', dims: [2], sparsity: 0 }, null],
      [null, null],
    ]);
    const open = await json('diff', at('dynamic.onnx'), at('dynamic.onnx'));
    expect(open.notRun).toMatch(/Expected --shape for input "x"/);
    const shaped = await json('diff', at('dynamic.onnx'), at('dynamic.onnx'), '--shape', 'x=3,32');
    expect(shaped.outputs).toMatchObject([{ dims: [3, 8] }]);
    const wrong = await cli('diff', at('dynamic.onnx'), at('dynamic.onnx'), '--shape', 'x=3,33');
    expect(wrong).toMatchObject({ code: 1, err: expect.stringMatching(/ERR_ESPALIER_SHAPE/) });
  });

  test.each([
    [['in.npy', 'in.npy', '--input', 'x=/nonexistent'], 2, /Expected two models with --input/],
    [['model.onnx', 'in.npy', '--threads', '99'], 2, /Expected two models with --threads/],
    [['in.npy', 'in.npy', '--tune'], 2, /Expected two models with --tune/],
    [['model.onnx', 'model.onnx', '--no-run', '--seed', '1'], 2, /Expected a run with --seed/],
    [['dynamic.onnx', 'dynamic.onnx', '--threads', '1'], 2, /Expected --shape for input "x"/],
  ])('%j is refused', async (args, code, message) => {
    await writeFile(at('in.npy'), encodeNpy(fromNumbers('float32', [1, 2], [1, 2])));
    const result = await cli('diff', ...args.map((arg) => (/^[a-z]+\.[a-z]+$/.test(arg) ? at(arg) : arg)));
    expect(result).toMatchObject({ code, out: '', err: expect.stringMatching(message) });
  });

  test('takes feeds of NumPy', async () => {
    await writeFile(at('feed.npy'), encodeNpy(fromNumbers('float32', [2, 32], new Array(64).fill(1))));
    await writeFile(at('wide.npy'), encodeNpy(fromNumbers('float64', [2, 32], new Array(64).fill(1))));
    const report = await json('run', at('dynamic.onnx'), '--input', `x=${at('feed.npy')}`);
    expect(report.outputs).toMatchObject([{ name: 'y2', dims: [2, 8] }]);
    const wrong = await cli('run', at('dynamic.onnx'), '--input', `x=${at('wide.npy')}`);
    expect(wrong.err).toMatch(/Expected float32 for input "x", got float64 in .*ERR_ESPALIER_TYPE/);
  });
});
