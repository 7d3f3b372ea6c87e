import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession, Tensor, type TensorMap } from '../../src/index.js';
import { expectError, observation, policyGraph, policyModel } from './support.js';

const create = (model: unknown, options?: unknown) =>
  InferenceSession.create(model as string, options as undefined);

describe('creating a session', () => {
  let directory = '';
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'espalier-errors-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('names a file that is not there, is a folder, is empty, is cut short or is something else', async () => {
    const write = (name: string, bytes: Uint8Array) => {
      const path = join(directory, name);
      writeFileSync(path, bytes);
      return path;
    };
    const model = policyModel();
    await expectError(() => create(join(directory, 'none.onnx')), 'ERR_ESPALIER_FILE', /none\.onnx/);
    await expectError(() => create(directory), 'ERR_ESPALIER_FILE', /espalier-errors-/);
    await expectError(
      () => create(write('empty.onnx', new Uint8Array())),
      'ERR_ESPALIER_MODEL',
      /empty\.onnx/,
    );
    const cut = write('cut.onnx', model.subarray(0, model.length - 100));
    await expectError(() => create(cut), 'ERR_ESPALIER_MODEL', /cut\.onnx/);
    const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]);
    await expectError(() => create(write('picture.onnx', png)), 'ERR_ESPALIER_MODEL', /picture\.onnx/);
    await expectError(() => create(png), 'ERR_ESPALIER_MODEL', /./);
  });

  it('refuses what is neither a path nor bytes', async () => {
    for (const model of [undefined, null, 7, {}, []]) {
      await expectError(
        () => create(model),
        'ERR_ESPALIER_ARGUMENT',
        /Expected a model path or a Uint8Array/,
      );
    }
  });

  it('names unknown options and the nearest known one', async () => {
    await expectError(
      () => create(policyModel(), { thread: 1 }),
      'ERR_ESPALIER_ARGUMENT',
      /"thread".*did you mean "threads"/,
    );
  });

  it('refuses values that options cannot have', async () => {
    for (const threads of [0, -1, 1.5, Number.NaN, 257, '2', null]) {
      await expectError(() => create(policyModel(), { threads }), 'ERR_ESPALIER_ARGUMENT', /threads/);
    }
    for (const isa of ['sse2', 7]) {
      await expectError(() => create(policyModel(), { isa }), 'ERR_ESPALIER_ARGUMENT', /isa.*avx2/);
    }
    await expectError(() => create(policyModel(), 'fast'), 'ERR_ESPALIER_ARGUMENT', /options/);
  });

  it('says which instruction sets there are when one is wanted that is not', async () => {
    const missing = process.arch === 'arm64' ? 'avx2' : 'neon';
    await expectError(() => create(policyModel(), { isa: missing }), 'ERR_ESPALIER_ARGUMENT', /scalar/);
    const before = process.env['ESPALIER_ISA'];
    process.env['ESPALIER_ISA'] = 'mmx';
    try {
      await expectError(() => create(policyModel()), 'ERR_ESPALIER_ARGUMENT', /mmx.*scalar|scalar.*mmx/s);
    } finally {
      if (before === undefined) delete process.env['ESPALIER_ISA'];
      else process.env['ESPALIER_ISA'] = before;
    }
  });

  it('lists every operator that is not supported, with node, domain and opset, in one error', async () => {
    const graph = policyGraph();
    const strange = (name: string, op: string, domain: string) => ({
      ...(graph.nodes[1] as (typeof graph.nodes)[number]),
      name,
      op,
      domain,
      outputs: [name],
    });
    const nodes = [
      ...graph.nodes,
      strange('first', 'TfIdfVectorizer', ''),
      strange('second', 'StringNormalizer', ''),
      strange('third', 'FusedThing', 'com.example'),
    ];
    const opsets = new Map([...graph.opsets, ['com.example', 3]]);
    const bytes = exportOnnx({ ...graph, nodes, opsets });
    await expectError(
      () => create(bytes),
      'ERR_ESPALIER_UNSUPPORTED',
      /TfIdfVectorizer.*17.*first.*StringNormalizer.*second.*com\.example\.FusedThing.*3.*third/s,
    );
  });
});

describe('feeding a session', () => {
  let session: InferenceSession;
  beforeAll(async () => {
    session = await InferenceSession.create(policyModel(), { threads: 1 });
  });
  afterAll(() => session.release());

  const cases: [string, unknown, Parameters<typeof expectError>[1], RegExp][] = [
    ['no feeds', undefined, 'ERR_ESPALIER_ARGUMENT', /feeds/],
    ['null', null, 'ERR_ESPALIER_ARGUMENT', /feeds/],
    ['a missing input', {}, 'ERR_ESPALIER_INPUT', /"obs".*float32 \[batch, 48\].*none/],
    ['an unknown input', { obs: observation(), ops: observation() }, 'ERR_ESPALIER_INPUT', /"ops".*"obs"/],
    ['no tensor', { obs: [1, 2] }, 'ERR_ESPALIER_ARGUMENT', /"obs"/],
    ['a bare typed array', { obs: new Float32Array(48) }, 'ERR_ESPALIER_ARGUMENT', /"obs"/],
    [
      'the wrong type',
      { obs: new Tensor('float64', new Float64Array(48), [1, 48]) },
      'ERR_ESPALIER_TYPE',
      /"obs".*float32 \[batch, 48\].*float64 \[1, 48\]/,
    ],
    [
      'the wrong rank',
      { obs: new Tensor('float32', new Float32Array(48), [48]) },
      'ERR_ESPALIER_SHAPE',
      /"obs".*float32 \[batch, 48\], got float32 \[48\]/,
    ],
    [
      'the wrong dim',
      { obs: new Tensor('float32', new Float32Array(47), [1, 47]) },
      'ERR_ESPALIER_SHAPE',
      /\[batch, 48\].*\[1, 47\]/,
    ],
    [
      'fewer elements than dims',
      { obs: { type: 'float32', data: new Float32Array(40), dims: [1, 48] } },
      'ERR_ESPALIER_SHAPE',
      /40 elements/,
    ],
    [
      'dims that are no numbers',
      { obs: { type: 'float32', data: new Float32Array(48), dims: ['1', 48] } },
      'ERR_ESPALIER_SHAPE',
      /obs/,
    ],
    [
      'negative dims',
      { obs: { type: 'float32', data: new Float32Array(48), dims: [-1, 48] } },
      'ERR_ESPALIER_SHAPE',
      /obs/,
    ],
  ];

  it.each(cases)('refuses %s', async (_, feeds, code, message) => {
    await expectError(() => session.runSync(feeds as TensorMap), code, message);
    await expectError(() => session.run(feeds as TensorMap), code, message);
    expect(session.runSync({ obs: observation() })['action']?.dims).toEqual([1, 12]);
  });

  it('refuses a tensor whose buffer was transferred away', async () => {
    const obs = observation();
    structuredClone(obs.data.buffer, { transfer: [obs.data.buffer as ArrayBuffer] });
    await expectError(() => session.runSync({ obs }), 'ERR_ESPALIER_SHAPE', /0 elements/);
    await expectError(() => session.run({ obs }), 'ERR_ESPALIER_SHAPE', /0 elements/);
  });

  it('refuses everything after release', async () => {
    const released = await InferenceSession.create(policyModel());
    released.release();
    released.release();
    await expectError(() => released.runSync({ obs: observation() }), 'ERR_ESPALIER_RELEASED', /released/);
    await expectError(() => released.run({ obs: observation() }), 'ERR_ESPALIER_RELEASED', /released/);
  });
});

describe('making a tensor', () => {
  const make = (type: unknown, data: unknown, dims: unknown) =>
    new Tensor(type as 'float32', data as Float32Array, dims as number[]);

  it('refuses types, data and dims that do not fit', async () => {
    await expectError(
      () => make('float', new Float32Array(1), [1]),
      'ERR_ESPALIER_TYPE',
      /float32.*got float/,
    );
    await expectError(
      () => make('float32', new Float64Array(1), [1]),
      'ERR_ESPALIER_TYPE',
      /Float32Array.*Float64Array/,
    );
    await expectError(
      () => make('float32', new Float32Array(2), [1]),
      'ERR_ESPALIER_SHAPE',
      /1 elements.*got 2/,
    );
    await expectError(() => make('float32', new Float32Array(1), 1), 'ERR_ESPALIER_SHAPE', /dims/);
    await expectError(() => make('float32', new Float32Array(1), [1.5]), 'ERR_ESPALIER_SHAPE', /dims/);
    await expectError(() => make('int64', [1.5], [1]), 'ERR_ESPALIER_TYPE', /int64/);
  });

  it('takes plain numbers', () => {
    expect(new Tensor('int64', [1, 2n as unknown as number], [2]).data).toEqual(BigInt64Array.from([1n, 2n]));
    expect(new Tensor('bool', [1, 0], [2]).data).toEqual(Uint8Array.from([1, 0]));
    expect(new Tensor('float32', [1], []).size).toBe(1);
  });
});
