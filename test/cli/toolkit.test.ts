import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseSensitivity } from '../../src/calibrate/index.js';
import { encodeNpz } from '../../src/formats/index.js';
import { exportOnnx, readOnnx } from '../../src/formats/onnx/index.js';
import { fromNumbers, historyOf } from '../../src/graph/index.js';
import { vit } from '../../src/networks/index.js';
import { randomConstant, seeded } from '../prune/graphs.js';
import { cli, mlp, modelFolder } from './models.js';

let folder = '';
let remove = async () => {};
const at = (name: string) => path.join(folder, name);
const random = seeded(4);

beforeAll(async () => {
  ({ folder, remove } = await modelFolder());
  const numbers = (count: number) => Array.from({ length: count }, () => random() * 2 - 1);
  await writeFile(
    at('data.npz'),
    encodeNpz(new Map([['x', fromNumbers('float32', [12, 32], numbers(384))]])),
  );
  for (const batch of [1, 2]) {
    const gradients = [...mlp().constants].map(
      ([name, { dims }]) => [name, randomConstant(dims, random)] as const,
    );
    await writeFile(at(`gradients${batch}.npz`), encodeNpz(new Map(gradients)));
  }
  await writeFile(
    at('vit.onnx'),
    exportOnnx(vit({ image: 16, patch: 8, width: 16, heads: 2, depth: 2, classes: 3 })),
  );
  const images = fromNumbers('float32', [3, 3, 16, 16], numbers(3 * 768));
  await writeFile(at('images.npz'), encodeNpz(new Map([['image', images]])));
});
afterAll(() => remove());

const prune = (model: string, ...args: string[]) =>
  cli('prune', at(model), '-o', at('out.onnx'), '--force', ...args);

describe('sensitivity', () => {
  test('writes the curves and a picture, and prune takes them', async () => {
    const files = ['-o', at('s.json'), '--picture', at('s.svg'), '--force'];
    const measured = await cli('sensitivity', at('model.onnx'), '--calibration', at('data.npz'), ...files);
    expect(measured.code).toBe(0);
    expect(measured.out).toMatch(/^layer +op +units +20.0 % /m);
    expect(measured.out).toMatch(/^hidden +MatMul +2,048 /m);
    const report = parseSensitivity(await readFile(at('s.json'), 'utf8'), 's.json');
    expect(report.layers.map(({ name, points }) => [name, points.length])).toEqual([
      ['hidden', 8],
      ['head', 8],
    ]);
    expect(await readFile(at('s.svg'), 'utf8')).toMatch(/^<svg .*<\/svg>\n$/s);
    const args = [
      '--sparsity',
      '0.5',
      '--allocation',
      'sensitivity',
      '--sensitivity',
      at('s.json'),
      '--json',
    ];
    const pruned = await prune('model.onnx', ...args);
    expect(pruned.code).toBe(0);
    expect(JSON.parse(pruned.out)).toMatchObject({ removed: 1280, weights: 2560 });
  });

  test('of chosen layers, pattern, method and sparsities; as JSON', async () => {
    const args = ['--method', 'wanda', '--pattern', '4x1', '--sparsities', '0.5', '--include', 'head'];
    const data = ['--calibration', at('data.npz'), '--measure', 'layer', '--json'];
    const { code, out } = await cli('sensitivity', at('model.onnx'), ...data, ...args);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      measure: 'layer',
      method: 'wanda',
      layers: [{ name: 'head', pattern: '4x1', units: 128, points: [{ sparsity: 0.5 }] }],
    });
  });

  test.each([
    [['--calibration', 'nowhere.npz'], /nowhere.npz/],
    [['--sparsities', '0.5,x'], /a number in \(0, 1\)/],
    [['--method', 'taylor'], /Expected gradients by weight name for method taylor/],
    [['-o', 'no/such/folder/s.json'], /folder/],
  ])('%j is refused', async (args, message) => {
    const { code, err } = await cli(
      'sensitivity',
      at('model.onnx'),
      '--calibration',
      at('data.npz'),
      ...args,
    );
    expect(code).not.toBe(0);
    expect(err).toMatch(message);
  });
});

describe('prune to a target', () => {
  test('of parameters, with data too', async () => {
    for (const data of [[], ['--calibration', at('data.npz')]]) {
      const { code, out } = await prune('model.onnx', '--target-parameters', '1.28k', ...data);
      expect(code).toBe(0);
      expect(out).toMatch(/^parameters 2.56 k -> 1.2\d k \(at most 1.28 k\)$/m);
    }
  });

  test('of a latency: a generous one is met by the dense model, none by an impossible one', async () => {
    const time = ['--target-threads', '1', '--target-seconds', '0.05'];
    const met = await prune('model.onnx', '--target-p99-ms', '10000', ...time, '--json');
    expect(met.code).toBe(0);
    expect(JSON.parse(met.out)).toMatchObject({
      removed: 0,
      target: { quantity: 'p99Milliseconds', limit: 10000 },
    });
    const failed = await prune('dynamic.onnx', '--target-p50-ms', '0.000001', '--shape', 'x=2,32', ...time);
    expect(failed.code).toBe(1);
    expect(failed.err).toMatch(/the least that pruning reached is a p50 of .* ms \(ERR_ESPALIER_TARGET\)/);
  });

  test('channels, heads and neurons', async () => {
    const args = ['--pattern', 'neuron', '--target-flops', '2.5k', '--json'];
    const { code, out } = await prune('model.onnx', ...args);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ target: { quantity: 'flops', limit: 2500, dense: 5120 } });
    expect(JSON.parse(out).target.reached).toBeLessThanOrEqual(2500);
  });

  test('in a recipe, beside other stages', async () => {
    const recipe =
      'stages:\n  - { sparsity: 0.3, method: magnitude, refit: false }\n  - { target: { parameters: 1000 }, method: magnitude, refit: false }\n';
    await writeFile(at('recipe.yaml'), recipe);
    const { code, out } = await prune('model.onnx', '--recipe', at('recipe.yaml'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out).target.reached).toBeLessThanOrEqual(1000);
    const graph = await readOnnx(at('out.onnx'));
    expect(historyOf(graph)).toMatch(/"target":\{"parameters":1000\}/);
    for (const [text, message] of [
      ['{ sparsity: 0.5, target: { flops: 3 } }', /options with a target to be|"sparsity" beside it/],
      ['{ target: { flop: 3 } }', /Unknown key "flop"/],
      ['{ sparsity: 0.5, schedule: { stages: 0 } }', /at least 1/],
      ['{ schedule: { stages: 2 } }', /options with a sparsity for the schedule/],
    ] as const) {
      await writeFile(at('recipe.yaml'), text);
      const refused = await prune('model.onnx', '--recipe', at('recipe.yaml'));
      expect(refused.code).toBe(2);
      expect(refused.err).toMatch(message);
    }
    const both = await prune('model.onnx', '--recipe', at('recipe.yaml'), '--stages', '3');
    expect([both.code, both.err]).toEqual([2, expect.stringContaining('--schedule without --recipe')]);
  });
});

describe('stages', () => {
  test('rise to the sparsity, by flags or a recipe, and say so in the history', async () => {
    const flags = [
      '--sparsity',
      '0.8',
      '--stages',
      '2',
      '--schedule',
      'linear',
      '--method',
      'magnitude',
      '--no-refit',
    ];
    await writeFile(
      at('recipe.yaml'),
      'sparsity: 0.8\nmethod: magnitude\nrefit: false\nschedule: { curve: linear, stages: 2 }\n',
    );
    for (const args of [flags, ['--recipe', at('recipe.yaml')]]) {
      const { code, out } = await prune('model.onnx', ...args, '--json');
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ removed: 2048 });
      const [step] = JSON.parse(historyOf(await readOnnx(at('out.onnx'))) ?? '[]') as {
        stages: { sparsity: number }[];
      }[];
      expect(step?.stages.map(({ sparsity }) => sparsity)).toEqual([0.4, 0.8]);
    }
    expect((await prune('model.onnx', '--sparsity', '0.5', '--schedule', 'linear')).err).toMatch(
      /Expected --stages with --schedule, which does nothing otherwise/,
    );
  });
});

describe('scores on the command line', () => {
  test('several batches of gradients', async () => {
    const gradients = ['--gradients', at('gradients1.npz'), at('gradients2.npz')];
    for (const method of ['snip', 'snip-momentum', 'taylor', 'fisher']) {
      const { code, out } = await prune(
        'model.onnx',
        '--sparsity',
        '0.5',
        '--method',
        method,
        '--json',
        ...gradients,
      );
      expect(code).toBe(0);
      expect(JSON.parse(out).options.importance).toBe(method === 'snip-momentum' ? 'snipMomentum' : method);
    }
  });

  test('of neurons: taylor over the whole unit, batch normalisations, data, distances', async () => {
    const names = async (...args: string[]) => {
      const { code, out, err } = await prune(
        'model.onnx',
        '--pattern',
        'neuron',
        '--sparsity',
        '0.5',
        '--json',
        ...args,
      );
      expect(err, args.join(' ')).toMatch(/^wrote/);
      expect(code).toBe(0);
      return (JSON.parse(out) as { options: { importance: string } }).options.importance;
    };
    expect(await names('--method', 'taylor', '--gradients', at('gradients1.npz'))).toBe('groupTaylor');
    expect(await names('--method', 'bn')).toBe('groupScale');
    expect(await names('--method', 'wanda', '--calibration', at('data.npz'))).toBe('wanda');
    expect(await names('--method', 'flap', '--calibration', at('data.npz'))).toBe('fluctuation');
    expect(await names('--method', 'fpgm')).toBe('fpgm');
    expect(await names('--method', 'random', '--seed', '3')).toBe('random(3)');
    expect(await names('--push-constants', '--calibration', at('data.npz'))).toBe('magnitude');
    const refused = await prune(
      'model.onnx',
      '--pattern',
      'neuron',
      '--sparsity',
      '0.5',
      '--method',
      'sparsegpt',
    );
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringMatching(/method to be one of magnitude.*got "sparsegpt"/),
    });
    const foreign = await prune(
      'model.onnx',
      '--pattern',
      'neuron',
      '--sparsity',
      '0.5',
      '--allocation',
      'er',
    );
    expect(foreign.err).toMatch(/Expected a pattern of zeros with --allocation/);
  });

  test('embedding width, and residual blocks by their influence on data', async () => {
    const narrow = await prune('vit.onnx', '--pattern', 'embedding', '--sparsity', '0.5', '--json');
    expect(narrow.code).toBe(0);
    expect(JSON.parse(narrow.out).groups).toMatchObject([{ kind: 'embedding', units: 16 }]);
    expect((await cli('run', at('out.onnx'))).code).toBe(0);
    const args = ['--pattern', 'layer', '--sparsity', '0.5', '--calibration', at('images.npz'), '--json'];
    const shallow = await prune('vit.onnx', ...args);
    expect(shallow.code).toBe(0);
    const blocks = JSON.parse(shallow.out).blocks as { score: number; removed: boolean }[];
    expect(blocks.filter(({ removed }) => removed)).toHaveLength(2);
    const kept = blocks.filter(({ removed }) => !removed).map(({ score }) => score);
    for (const { score } of blocks.filter(({ removed }) => removed))
      expect(score).toBeLessThanOrEqual(Math.min(...kept));
  });
});
