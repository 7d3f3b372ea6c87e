import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { deflate } from '../../src/formats/esp/deflate.js';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { GraphBuilder } from '../../src/graph/index.js';
import { InferenceSession, type Tensor } from '../../src/index.js';
import { expectError } from '../session/support.js';
import {
  compiled,
  type Forged,
  forge,
  forgeWeights,
  inFolder,
  replaceBytes,
  smallFeed,
  smallGraph,
} from './support.js';

const file = compiled(smallGraph(), { isa: 'scalar' });
const model = exportOnnx(smallGraph());

/** The code of the error that opening and running gives, or whether the result is right. */
async function outcome(bytes: Uint8Array): Promise<string> {
  try {
    using session = await InferenceSession.create(bytes, { threads: 1, isa: 'scalar' });
    return same(session.runSync(smallFeed())['y2'], await expected) ? 'right' : 'wrong';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const expected = (async () => {
  using session = await InferenceSession.create(model, { threads: 1, isa: 'scalar' });
  return session.runSync(smallFeed())['y2'] as Tensor;
})();

const same = (a: Tensor | undefined, b: Tensor) => a?.data.every((value, i) => value === b.data[i]) === true;

describe('a damaged file', () => {
  test('with any byte changed is an error', async () => {
    expect(await outcome(file)).toBe('right');
    expect(file.length).toBeLessThan(12_000);
    const codes = new Map<string, number>();
    for (let at = 0; at < file.length; at++) {
      const damaged = file.slice();
      damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
      const code = await outcome(damaged);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    // In the metadata, a version of another digit is another version; a first byte that is no header's is no .esp.
    for (const code of codes.keys()) expect(code).toMatch(/^ERR_ESPALIER_(MODEL|UNSUPPORTED)$/);
    expect(codes.get('ERR_ESPALIER_MODEL')).toBeGreaterThan(file.length * 0.99);
  });

  test('cut after any byte, or with bytes behind it, is an error', async () => {
    for (let length = 0; length < file.length; length++)
      expect(await outcome(file.subarray(0, length)), `cut at ${length}`).toBe('ERR_ESPALIER_MODEL');
    expect(await outcome(new Uint8Array([...file, 0]))).toBe('ERR_ESPALIER_MODEL');
  });
});

// biome-ignore lint/suspicious/noExplicitAny: a test puts anything there
const weightsEdits: [string, (weights: any) => unknown][] = [
  ['a size that no tensor has', ([{ packed }]) => (packed.matrices[0].sizes.values = 2 ** 40)],
  ['a size of 0', ([{ packed }]) => (packed.matrices[0].sizes.columns = 0)],
  ['a negative size', ([{ packed }]) => (packed.matrices[0].sizes.values = -64)],
  ['no sizes', ([{ packed }]) => (packed.matrices[0].sizes = {})],
  ['rows beyond the matrix', ([{ packed }]) => (packed.matrices[0].rows = 2 ** 31)],
  ['absurd rows on both sides', ([{ view, packed }]) => (packed.matrices[0].rows = view.outputs = 2 ** 48)],
  ['a view of another size', ([{ view }]) => (view.inputs = 33)],
  ['a product that is no number', ([{ view }]) => (view.inputs = view.groups = 2 ** 52)],
  ['no matrices', ([{ packed }]) => (packed.matrices = [])],
  ['too many matrices', ([{ packed }]) => packed.matrices.push(packed.matrices[0])],
  ['another format', ([{ packed }]) => (packed.format = 'sell')],
  ['dense weights', ([{ packed }]) => (packed.format = 'dense')],
  ['a format that does not exist', ([{ packed }]) => (packed.format = 'block32')],
  ['another storage', ([{ packed }]) => (packed.storage = 'float16')],
  ['a tensor of another weight', ([a, b]) => (a.packed.sections.values = b.packed.sections.values)],
  ['a tensor that does not exist', ([{ packed }]) => (packed.sections.values = 'none')],
  ['the graph as its values', ([{ packed }]) => (packed.sections.values = 'espalier.graph')],
  ['an unknown section', ([{ packed }]) => (packed.sections.extra = packed.sections.values)],
  ['a weight twice', (weights) => weights.push(weights[0])],
  ['a number for a name', ([weight]) => (weight.name = 7)],
  ['more zeros than weights', ([{ counts }]) => (counts.zeros = 1e9)],
  ['another key', ([weight]) => (weight.extra = 1)],
];

const partEdits: [string, (parts: Forged) => unknown][] = [
  ['no version', ({ metadata }) => delete metadata['espalier.version']],
  ['no word for what it was compiled', ({ metadata }) => delete metadata['espalier.compiled']],
  ['the weights first', ({ tensors }) => tensors.unshift(...tensors.splice(1, 1))],
  ['the hashes first', ({ tensors }) => tensors.unshift(...tensors.splice(-1, 1))],
  ['no graph', ({ tensors }) => tensors.splice(0, 1)],
  ['an empty graph', ({ tensors }) => replaceBytes(tensors[0], new Uint8Array())],
  ['no sections', ({ tensors }) => tensors.splice(2, tensors.length - 3)],
  ['a graph that is not compressed', ({ tensors }) => replaceBytes(tensors[0], model)],
  [
    'a graph that ends too soon',
    ({ tensors }) => replaceBytes(tensors[0], tensors[0]?.bytes.subarray(0, -9)),
  ],
  [
    'a graph of 64 MiB of zeros',
    ({ tensors }) => replaceBytes(tensors[0], deflateSync(Buffer.alloc(2 ** 26))),
  ],
  [
    'weights of 64 MiB of blanks',
    ({ tensors }) => replaceBytes(tensors[1], deflateSync(Buffer.alloc(2 ** 26, ' '))),
  ],
];

describe('a forged file, its hashes right, with', () => {
  test.each(weightsEdits)('%s is an error', async (_, edit) => {
    expect(await outcome(forgeWeights(file, edit))).toBe('ERR_ESPALIER_MODEL');
  });

  test.each(partEdits)('%s is an error', async (_, edit) => {
    expect(await outcome(forge(file, edit))).toBe('ERR_ESPALIER_MODEL');
  });

  test('a weight of few bytes that would be large once unpacked is an error where a node needs it so', async () => {
    const weight = new Float32Array(2048 * 4096);
    weight[0] = 1;
    const b = new GraphBuilder('large');
    b.output('y', b.node('MatMul', [b.input('x', [1, 4096]), b.constant([4096, 2048], weight, 'w')]));
    const graph = b.build();
    const small = compiled(graph, { isa: 'scalar' });
    expect(small.length).toBeLessThan(10_000);
    (await InferenceSession.create(small, { threads: 1, isa: 'scalar' })).release();
    const reader = {
      name: 'r',
      op: 'ReduceMax',
      domain: '',
      inputs: ['w'],
      outputs: ['z'],
      attributes: new Map(),
    };
    const nodes = [...graph.nodes, reader];
    const outputs = [...graph.outputs, { name: 'z', type: 'float32' as const, dims: undefined }];
    const read = exportOnnx(
      { ...graph, nodes, outputs },
      { external: () => ({ location: 'espalier.weights' }) },
    );
    const forged = forge(small, ({ tensors }) => replaceBytes(tensors[0], deflate(read)));
    await expectError(
      () => InferenceSession.create(forged, { threads: 1, isa: 'scalar' }),
      'ERR_ESPALIER_MODEL',
      /weight "w" of the model to fit in memory.* got 33554432 bytes/,
    );
  });

  test('another version asks for another compilation', async () => {
    const next = forge(file, ({ metadata }) => {
      metadata['espalier.version'] = '1';
    });
    await expectError(() => InferenceSession.create(next), 'ERR_ESPALIER_UNSUPPORTED', /version 2, got "1"/);
  });

  test.each([
    ['float32', ['right', 'wrong', 'ERR_ESPALIER_MODEL']],
    ['float16', ['wrong', 'ERR_ESPALIER_MODEL']], // rounded weights give another result from the start
  ] as const)('any byte of any section of %s changed is an error or a run', async (weightStorage, known) => {
    const file = compiled(smallGraph(), { isa: 'scalar', weightStorage });
    const codes = new Set<string>();
    for (let tensor = 2; ; tensor++) {
      let size = 0;
      for (let at = 0; at === 0 || at < size; at += 7) {
        const forged = forge(file, ({ tensors }) => {
          const { bytes, name } = tensors[tensor] as Forged['tensors'][number];
          size = name === 'espalier.sha256' ? 0 : bytes.length;
          if (size > 0) bytes[at] = (bytes[at] as number) ^ 0xff;
        });
        if (size === 0) break;
        codes.add(await outcome(forged));
      }
      if (size === 0) break;
    }
    expect([...codes].sort()).toEqual([...known].sort()); // values may be any; indices may not
  });
});

test('a process survives all of it, and a file that shrinks while it is mapped', async () => {
  await inFolder(async (at) => {
    writeFileSync(at('small.esp'), file);
    const script = `
      import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
      import { compileModel } from ${JSON.stringify(new URL('../../dist/esp/index.js', import.meta.url).href)};
      import { InferenceSession, Tensor } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
      const file = new Uint8Array(readFileSync(${JSON.stringify(at('small.esp'))}));
      const feeds = { x: new Tensor('float32', new Float32Array(32).fill(1), [1, 32]) };
      let errors = 0;
      for (let i = 0; i < file.length; i += 5) {
        const damaged = file.slice(0, i % 2 === 0 ? file.length : i);
        damaged[i] ^= 0x10;
        await InferenceSession.create(damaged, { threads: 1 }).then((s) => s.runSync(feeds)).catch((error) => {
          if (!error.code?.startsWith('ERR_ESPALIER_')) throw error;
          errors++;
        });
      }
      const side = 1104;
      const weights = new Float32Array(side * side).fill(0.5);
      const graph = {
        name: 'large', opsets: new Map([['', 17]]), metadata: {},
        inputs: [{ name: 'x', type: 'float32', dims: [1, side] }],
        outputs: [{ name: 'y', type: 'float32', dims: [1, side] }],
        nodes: [{ name: 'm', op: 'MatMul', domain: '', inputs: ['x', 'w'], outputs: ['y'], attributes: new Map() }],
        constants: new Map([['w', { type: 'float32', dims: [side, side], bytes: new Uint8Array(weights.buffer) }]]),
      };
      const path = ${JSON.stringify(at('large.esp'))};
      writeFileSync(path, Buffer.concat(compileModel(graph).parts));
      const session = await InferenceSession.create(path, { threads: 2 });
      const x = new Tensor('float32', new Float32Array(side).fill(1), [1, side]);
      const before = session.runSync({ x }).y.data[side - 1];
      truncateSync(path, 100000);
      const after = await session.run({ x }).then(() => 'a result', ({ code }) => code);
      console.log(JSON.stringify({ errors: errors > 100, before, after }));
    `;
    writeFileSync(at('script.mjs'), script);
    const { stdout, stderr, status, signal } = spawnSync(process.execPath, [at('script.mjs')], {
      encoding: 'utf8',
      timeout: 50_000,
    });
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ errors: true, before: 552, after: 'ERR_ESPALIER_FILE' });
  });
});
