import { spawn } from 'node:child_process';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeNpz, encodeSafetensors } from '../../src/formats/index.js';
import { exportOnnx, readOnnx } from '../../src/formats/onnx/index.js';
import { GraphBuilder } from '../../src/graph/builder.js';
import type { TensorData } from '../../src/graph/graph.js';
import { historyOf } from '../../src/graph/history.js';
import { seeded } from '../prune/graphs.js';
import { cli, modelFolder } from './models.js';

let folder = '';
let remove = async () => {};
const at = (name: string) => path.join(folder, name);
const random = seeded(12);
const numbers = (length: number) => Float32Array.from({ length }, () => random() * 2 - 1);

/** A perceptron that takes long enough to prune for a run to be interrupted. */
function deep(layers: number, width: number) {
  const g = new GraphBuilder('deep');
  let x = g.input('x', [100, width]);
  for (let i = 0; i < layers; i++) {
    const weight = numbers(width * width).map((value) => value / Math.sqrt(width / 3));
    x = g.node('Relu', [g.node('MatMul', [x, g.constant([width, width], weight, `w${i}`)])]);
  }
  return g.output('y', x).build();
}

const floats = (dims: readonly number[]): TensorData => ({
  type: 'float32',
  dims,
  bytes: new Uint8Array(numbers(dims.reduce((product, dim) => product * dim, 1)).buffer),
});

beforeAll(async () => {
  ({ folder, remove } = await modelFolder());
  await writeFile(at('deep.onnx'), exportOnnx(deep(12, 128)));
  await writeFile(at('deep.npz'), encodeNpz(new Map([['x', floats([400, 128])]])));
  const data = new Map([['x', floats([300, 32])]]);
  await writeFile(at('data.npz'), encodeNpz(data));
  await writeFile(at('data.safetensors'), encodeSafetensors(data));
});
afterAll(() => remove());

const prune = async (output: string, ...args: string[]) => {
  const result = await cli('prune', at('model.onnx'), '-o', at(output), '--force', '--json', ...args);
  return { ...result, plan: result.code === 0 ? JSON.parse(result.out) : undefined };
};
const weightsOf = async (name: string) => (await readOnnx(at(name))).constants;

describe('prune --calibration', () => {
  test('chooses by ADMM and refits, from npz and safetensors alike, the same each time', async () => {
    const half = ['--sparsity', '0.5'];
    const one = await prune('one.onnx', ...half, '--calibration', at('data.npz'));
    expect({ code: one.code, err: one.err }).toMatchObject({ code: 0 });
    expect(one.plan).toMatchObject({
      options: { importance: 'admm' },
      layers: [{ removed: 1024 }, { removed: 256 }],
    });
    await prune('two.onnx', ...half, '--calibration', at('data.safetensors'));
    expect(await weightsOf('two.onnx')).toEqual(await weightsOf('one.onnx'));
    expect((await weightsOf('one.onnx')).has('w1_bias')).toBe(true); // the fit frees biases
    await prune('plain.onnx', ...half, '--calibration', at('data.npz'), '--no-refit');
    expect((await weightsOf('plain.onnx')).has('w1_bias')).toBe(false);
    await expect(stat(at('one.onnx.unfinished'))).rejects.toThrow(/ENOENT/);
  });

  test('--method, --allocation and --compensate', async () => {
    const data = ['--sparsity', '0.5', '--calibration', at('data.npz')];
    const wanda = await prune('out.onnx', ...data, '--method', 'wanda', '--allocation', 'owl');
    expect(wanda.plan).toMatchObject({ options: { importance: 'wanda' } });
    const lowRank = await prune('out.onnx', ...data, '--compensate', 'low-rank:2');
    expect(lowRank.code).toBe(0);
    expect((await weightsOf('out.onnx')).get('w1_down')?.dims).toEqual([32, 2]);
    const bias = await prune('out.onnx', ...data, '--method', 'magnitude', '--compensate', 'bias');
    expect(bias.code).toBe(0);
    expect((await weightsOf('out.onnx')).has('w1_bias')).toBe(true);
  });

  test.each([
    [['--compensate', 'magic'], /compensate to be bias or low-rank:R with a rank R, got "?magic/, 2],
    [['--refit'], /Expected calibration data for method magnitude with refit, got no samples/, 1],
    [['--calibration', 'nope.npz'], /nope\.npz/, 1],
    [['--pattern', 'neuron', '--recalibrate-bn'], /a pattern of zeros with --recalibrate-bn/, 2],
  ] as const)('%j is refused', async (args, message, exitCode) => {
    const { code, err } = await prune('bad.onnx', '--sparsity', '0.5', ...args);
    expect(code).toBe(exitCode);
    expect(err).toMatch(message);
    await expect(stat(at('bad.onnx'))).rejects.toThrow(/ENOENT/);
  });
});

describe('prune --recipe', () => {
  test('stages start from what the one before left; flags win; the model says how it was pruned', async () => {
    const recipe =
      'stages:\n  - { sparsity: 0.3, method: magnitude, refit: false }\n  - { sparsity: 0.6, method: wanda }\n';
    await writeFile(at('recipe.yaml'), recipe);
    const args = ['--recipe', at('recipe.yaml'), '--calibration', at('data.npz')];
    const { code, plan } = await prune('staged.onnx', ...args);
    expect(code).toBe(0);
    const sparsities = plan.layers.map(({ sparsity }: { sparsity: number }) => sparsity);
    expect(sparsities).toEqual([expect.closeTo(0.6, 1), expect.closeTo(0.6, 1)]);
    const [step] = JSON.parse(historyOf(await readOnnx(at('staged.onnx'))) ?? '');
    expect(step).toMatchObject({
      step: 'prune',
      stages: [
        { sparsity: 0.3, method: 'magnitude', refit: false },
        { sparsity: 0.6, method: 'wanda' },
      ],
    });
    const flagged = await prune('staged.onnx', ...args, '--method', 'ria');
    expect(flagged.plan).toMatchObject({ options: { importance: 'ria' } });
  });
});

describe('options that do nothing', () => {
  const data = () => ['--calibration', at('data.npz')];
  test.each([
    [['--rows', '9'], /Expected --calibration with --rows, which does nothing otherwise/],
    [['--threads', '1'], /Expected --calibration or --push-constants with --threads/],
    [['--seed', '1'], /Expected the method random with --seed/],
    [['--min-sparsity', '0.1'], /Expected an allocation other than uniform with --min-sparsity/],
    [['--max-sparsity', '0.9'], /Expected an allocation other than uniform, or a target with --max-sparsity/],
    [['--push-constants'], /Expected a structure such as --pattern channel with --push-constants/],
    [['--round-to', '8'], /with --round-to/],
    [['--measure', 'units'], /with --measure/],
    [['--target-seconds', '1'], /Expected --target-p50-ms or --target-p99-ms with --target-seconds/],
    [['--target-threads', '1'], /with --target-threads/],
    [['--shape', 'x=1,32'], /Expected a structure, a target, --permute or an output of .esp with --shape/],
    [['--gradients', 'data.npz'], /Expected a method of gradients with --gradients/],
    [['--pattern', 'neuron', '--no-refit'], /Expected a pattern of zeros with --no-refit/],
    [['--pattern', 'neuron', '--operators', 'Conv'], /with --operators/],
    [['--pattern', 'layer', '--scores', 'scores.json', '--scope', 'global'], /with --scope/],
  ])('%j', async (args, message) => {
    await writeFile(at('scores.json'), '{}');
    const files = args.map((arg) => (/\.(npz|json)$/.test(arg) ? at(arg) : arg));
    const { code, err } = await prune('idle.onnx', '--sparsity', '0.5', ...files);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(message) });
  });

  test('data that no method uses; flags of one kind with outputs of another', async () => {
    const unused = await prune(
      'idle.onnx',
      '--sparsity',
      '0.5',
      '--method',
      'magnitude',
      '--no-refit',
      ...data(),
    );
    expect(unused.err).toMatch(/Expected a method or a fit that uses data with --calibration/);
    const external = await prune('idle.esp', '--sparsity', '0.5', '--external-data');
    expect(external.err).toMatch(/Expected an output that is no .esp with --external-data/);
  });

  test('in a recipe a flag is of use when one stage has one for it', async () => {
    await writeFile(
      at('mixed.yaml'),
      'stages:\n  - { sparsity: 0.3, method: magnitude, refit: false }\n  - { sparsity: 0.5, method: wanda }\n',
    );
    const args = ['--recipe', at('mixed.yaml'), ...data()];
    expect((await prune('mixed.onnx', ...args, '--rows', '64')).code).toBe(0);
    expect((await prune('mixed.onnx', ...args, '--seed', '1')).err).toMatch(/the method random with --seed/);
  });

  test('calibration arrays of another shape', async () => {
    await writeFile(at('wrong.npz'), encodeNpz(new Map([['x', floats([300, 31])]])));
    const wrong = await prune('wrong.onnx', '--sparsity', '0.5', '--calibration', at('wrong.npz'));
    expect(wrong).toMatchObject({
      code: 1,
      err: expect.stringContaining(
        'Expected calibration array "x" to be float32 [samples, 32], got float32 [300, 31]',
      ),
    });
  });
});

describe('interruption', () => {
  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  const start = (output: string) => {
    const data = ['--sparsity', '0.5', '--calibration', at('deep.npz'), '--threads', '1'];
    const child = spawn(process.execPath, [main, 'prune', at('deep.onnx'), '-o', at(output), ...data]);
    let err = '';
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    const ended = new Promise<{ code: number | null; signal: string | null; err: string }>((resolve) =>
      child.on('close', (code, signal) => resolve({ code, signal, err })),
    );
    return { child, ended };
  };

  test('the same command goes on after the last finished layer, with the same bytes', async () => {
    expect(await start('whole.onnx').ended).toMatchObject({ code: 0 });
    const unfinished = at('again.onnx.unfinished');
    const { child, ended } = start('again.onnx');
    const layer = 128 * 128 * 4;
    const kept = async () => (await stat(unfinished).catch(() => undefined))?.size ?? 0;
    while (child.exitCode === null && (await kept()) < 2 * layer)
      await new Promise((resolve) => setTimeout(resolve, 2));
    child.kill('SIGKILL');
    expect(await ended).toMatchObject({ code: null, signal: 'SIGKILL' });
    await expect(stat(at('again.onnx'))).rejects.toThrow(/ENOENT/);
    const second = await start('again.onnx').ended;
    expect(second).toMatchObject({ code: 0 });
    expect(second.err).toMatch(/^going on with what is in .*again\.onnx\.unfinished$/m);
    const name = (bytes: Buffer, output: string) => bytes.toString('latin1').replaceAll(output, 'output');
    expect(name(await readFile(at('again.onnx')), 'again.onnx')).toBe(
      name(await readFile(at('whole.onnx')), 'whole.onnx'),
    );
    await expect(stat(unfinished)).rejects.toThrow(/ENOENT/);
  });

  test('it goes on too where the output could not be written', async () => {
    const { ended } = start('late.onnx');
    while ((await stat(at('late.onnx.unfinished')).catch(() => undefined)) === undefined)
      await new Promise((resolve) => setTimeout(resolve, 2));
    await writeFile(at('late.onnx'), 'of somebody else');
    expect(await ended).toMatchObject({ code: 1, err: expect.stringMatching(/--force replaces it/) });
    expect(await readFile(at('late.onnx'), 'utf8')).toBe('of somebody else');
    await rm(at('late.onnx'));
    const second = await start('late.onnx').ended;
    expect(second).toMatchObject({ code: 0, err: expect.stringMatching(/^going on with what is in/) });
    await expect(stat(at('late.onnx.unfinished'))).rejects.toThrow(/ENOENT/);
  });
});
