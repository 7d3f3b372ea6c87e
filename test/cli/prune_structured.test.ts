import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeNpz } from '../../src/formats/index.js';
import { exportOnnx, readOnnx } from '../../src/formats/onnx/index.js';
import { fromNumbers } from '../../src/graph/index.js';
import { InferenceSession } from '../../src/index.js';
import { vit } from '../../src/networks/index.js';
import { cli, modelFolder } from './models.js';

let folder = '';
let remove = async () => {};
const at = (name: string) => path.join(folder, name);

beforeAll(async () => {
  ({ folder, remove } = await modelFolder());
  const graph = vit({ image: 16, patch: 8, width: 16, heads: 2, depth: 1, classes: 3 });
  await writeFile(at('vit.onnx'), exportOnnx(graph));
});
afterAll(() => remove());

describe('groups', () => {
  test('prints a table, or JSON', async () => {
    const { code, out, err } = await cli('groups', at('model.onnx'));
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^hidden#2 +neuron +64 +hidden +head +yes$/m);
    expect(out).toMatch(/^head +neuron +8 +head +no: "y2" is fed to or returned by the model$/m);
    const groups = JSON.parse((await cli('groups', at('model.onnx'), '--json')).out);
    expect(groups[1]).toMatchObject({ name: 'hidden#2', units: 64, blocked: null });
  });

  test('needs the dims that a model leaves open', async () => {
    const open = await cli('groups', at('dynamic.onnx'));
    expect(open.code).toBe(1);
    expect(open.err).toMatch(/Expected dims of input "x" to be float32 \[batch, 32\], got none/);
    expect((await cli('groups', at('dynamic.onnx'), '--shape', 'x=4,32')).code).toBe(0);
  });
});

describe('prune --pattern', () => {
  const prune = (model: string, ...args: string[]) =>
    cli('prune', at(model), '-o', at('out.onnx'), '--force', ...args);

  test('neuron: a smaller model whose open dims stay open', async () => {
    const args = [
      '--pattern',
      'neuron',
      '--sparsity',
      '0.7',
      '--round-to',
      '8',
      '--shape',
      'x=1,32',
      '--json',
    ];
    const { code, out, err } = await prune('dynamic.onnx', ...args);
    expect(code).toBe(0);
    expect(err).toMatch(/^wrote .*out\.onnx, /);
    expect(JSON.parse(out)).toMatchObject({
      after: { parameters: 32 * 16 + 16 * 8 },
      options: { roundTo: 8 },
    });
    const graph = await readOnnx(at('out.onnx'));
    expect(graph.constants.get('w1')?.dims).toEqual([32, 16]);
    expect(graph.inputs[0]?.dims).toEqual(['batch', 32]);
  });

  test('head,neuron: both, by multiply-adds', async () => {
    const args = [
      '--pattern',
      'head,neuron',
      '--sparsity',
      '0.3',
      '--measure',
      'multiply-adds',
      '--scope',
      'global',
    ];
    const { code, out } = await prune('vit.onnx', ...args);
    expect(code).toBe(0);
    expect(out).toMatch(/^multiply-adds .* -> .* \(-3\d\.\d %\)$/m);
  });

  test('layer: by scores from a file', async () => {
    const refused = await prune('vit.onnx', '--pattern', 'layer', '--sparsity', '0.5');
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringContaining('Expected calibration data or scores for the pattern layer'),
    });
    await writeFile(at('scores.json'), JSON.stringify({ Add_3: 0.1, Add_5: 0.2 }));
    const wrong = await prune(
      'vit.onnx',
      '--pattern',
      'layer',
      '--sparsity',
      '0.5',
      '--scores',
      at('scores.json'),
    );
    expect(wrong.err).toMatch(/to have a number for each of "Add_\d", "Add_\d", got undefined/);
    const [, first = '', second = ''] = /each of "(\w+)", "(\w+)"/.exec(wrong.err) ?? [];
    await writeFile(at('scores.json'), JSON.stringify({ [first]: 0.1, [second]: 0.2 }));
    const args = ['--pattern', 'layer', '--sparsity', '0.5', '--scores', at('scores.json')];
    const { code, out } = await prune('vit.onnx', ...args);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^${first} .* yes$`, 'm'));
    expect((await cli('run', at('out.onnx'))).code).toBe(0);
  });

  test('16x1 --permute: says what the order of channels keeps', async () => {
    const { code, err } = await prune('model.onnx', '--pattern', '16x1', '--sparsity', '0.8', '--permute');
    expect(code).toBe(0);
    const [, after, before] =
      /order of channels: ([\d.]+) % of all magnitudes kept, ([\d.]+) % without/.exec(err) ?? [];
    expect(Number(after)).toBeGreaterThan(Number(before));
  });

  test('a recipe of structures and masks, to a compiled model', async () => {
    const recipe = `
stages:
  - { pattern: [head, neuron], sparsity: 0.5 }
  - { pattern: embedding, sparsity: 0.25 }
  - { sparsity: 0.4, method: wanda, exclude: ['re:^Conv'] }
  - { pattern: layer, sparsity: 0.5 }
`;
    await writeFile(at('recipe.yaml'), recipe);
    const images = fromNumbers(
      'float32',
      [3, 3, 16, 16],
      Array.from({ length: 3 * 768 }, (_, i) => Math.sin(i)),
    );
    await writeFile(at('images.npz'), encodeNpz(new Map([['image', images]])));
    const args = ['--recipe', at('recipe.yaml'), '--calibration', at('images.npz'), '--force', '--json'];
    const { code, err, out } = await cli('prune', at('vit.onnx'), '-o', at('out.esp'), ...args);
    expect({ code, err }).toMatchObject({ code: 0 });
    const { stages } = JSON.parse(out) as { stages: Record<string, unknown>[] };
    expect(
      stages.map((stage) => Object.keys(stage).find((key) => ['groups', 'layers', 'blocks'].includes(key))),
    ).toEqual(['groups', 'groups', 'layers', 'blocks']);
    expect(stages[0]).toMatchObject({ groups: [{ units: 2, kept: [expect.any(Number)] }, { units: 64 }] });
    const session = await InferenceSession.create(at('out.esp'));
    session.release();
    const told = JSON.parse((await cli('inspect', at('out.esp'), '--json')).out);
    expect(JSON.stringify(told)).toContain('embedding');
    const again = await cli('prune', at('vit.onnx'), '-o', at('again.esp'), ...args);
    expect(again.code).toBe(0);
    const bytes = await Promise.all(['out.esp', 'again.esp'].map((name) => readFile(at(name))));
    expect(bytes[1]?.equals(bytes[0] as Buffer)).toBe(true);
  });

  test('what does not fit is exit code 2 with one line', async () => {
    for (const [args, message] of [
      [['--pattern', 'channel', '--sparsity', '0.5'], /a group that can be pruned, got none of kind channel/],
      [
        ['--pattern', 'neuron', '--sparsity', '0.5', '--permute'],
        /Expected a pattern of zeros with --permute, which does nothing otherwise/,
      ],
      [['--pattern', 'neuron'], /with a sparsity or a target, got none/],
      [['--pattern', 'neuron', '--sparsity', '1'], /sparsity to be a number in \[0, 1\), got 1/],
      [['--pattern', 'neurons', '--sparsity', '0.5'], /neurons/],
      [['--pattern', 'neuron', '--sparsity', '0.5', '--measure', 'macs'], /units, parameters, multiply-adds/],
    ] as const) {
      const { code, err } = await prune('model.onnx', ...args);
      expect(code).toBe(2);
      expect(err).toMatch(message);
    }
  });
});
