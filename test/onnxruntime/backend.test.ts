import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import ort from 'onnxruntime-node';
import { describe, expect, it, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import {
  EspalierError,
  env,
  espalierBackend,
  InferenceSession,
  Tensor,
} from '../../src/onnxruntime/index.js';
import { policyGraph } from '../session/support.js';

const model = exportOnnx(policyGraph());
const values = Float32Array.from({ length: 48 }, (_, i) => Math.cos(i));

test('the interface is that of the installed onnxruntime-common', async () => {
  const versions = createRequire(createRequire(import.meta.url).resolve('onnxruntime-node'));
  const { env: installed } = versions('onnxruntime-common') as typeof ort;
  expect(env.versions.common).toBe(installed.versions.common);
  // That these compile is the test: what code declares by onnxruntime's types may come from espalier.
  const backend: ort.Backend = espalierBackend;
  const tensor: ort.Tensor = new Tensor('float32', values, [1, 48]);
  const typed: ort.TypedTensor<'int64'> = new Tensor('int64', [1], [1]);
  const session: ort.InferenceSession = await InferenceSession.create(model);
  const options: InferenceSession.SessionOptions = {} satisfies ort.InferenceSession.SessionOptions;
  const own = await InferenceSession.create(model, options);
  const results: InferenceSession.OnnxValueMapType = await own.run({ obs: tensor });
  const same: ort.InferenceSession.ReturnType = await session.run({ obs: tensor });
  expect(results['action']?.data).toEqual(same['action']?.data);
  expect([typed.data[0], typeof backend.init]).toEqual([1n, 'function']);
  await own.release();
  await session.release();
});

describe('as a backend of onnxruntime-node', () => {
  it('runs sessions that name it, with options of its own, and no others', async () => {
    ort.registerBackend('espalier', espalierBackend, -1);
    const feeds = { obs: new ort.Tensor('float32', values, [1, 48]) };
    const executionProviders = [{ name: 'espalier', threads: 1, isa: 'scalar' }];
    const here = await ort.InferenceSession.create(model, { executionProviders });
    const there = await ort.InferenceSession.create(model);
    const [own, reference] = [await here.run(feeds), await there.run(feeds)];
    expect(own['action']).toBeInstanceOf(ort.Tensor);
    const [actual, expected] = [own, reference].map(({ action }) => Array.from(action?.data ?? [], Number));
    const difference = (expected ?? []).map((value, i) => Math.abs(value - (actual?.[i] ?? Number.NaN)));
    expect(difference).toHaveLength(12);
    expect(Math.max(...difference)).toBeLessThan(1e-5); // sums of 48 products of about 1, in other orders
    expect(here.inputMetadata).toEqual(there.inputMetadata);
    await expect(here.run(feeds, ['action'])).resolves.toHaveProperty('action');
    await there.release();
    await here.release();
    await expect(here.run(feeds)).rejects.toMatchObject({ code: 'ERR_ESPALIER_RELEASED' });
    const wrong = [{ name: 'espalier', isa: 'abacus' }];
    await expect(ort.InferenceSession.create(model, { executionProviders: wrong })).rejects.toThrow(
      EspalierError,
    );
  });

  it('runs sessions of code that knows nothing of it, when it takes the name cpu first', async () => {
    const require = createRequire(import.meta.url);
    const node = require.resolve('onnxruntime-node');
    const common = createRequire(node).resolve('onnxruntime-common');
    const own = new URL('../../dist/onnxruntime/index.js', import.meta.url).href;
    const script = `
      const { registerBackend } = (await import(${JSON.stringify(pathToFileURL(common).href)})).default;
      const { espalierBackend } = await import(${JSON.stringify(own)});
      let sessions = 0;
      const createInferenceSessionHandler = (...args) => (sessions++, espalierBackend.createInferenceSessionHandler(...args));
      registerBackend('cpu', { ...espalierBackend, createInferenceSessionHandler }, 101);
      const ort = (await import(${JSON.stringify(pathToFileURL(node).href)})).default;
      const session = await ort.InferenceSession.create(Buffer.from(process.argv[1], 'base64'), { executionProviders: ['cpu'] });
      const { action } = await session.run({ obs: new ort.Tensor('float32', new Float32Array(48).fill(1), [1, 48]) });
      console.log(JSON.stringify({ sessions, dims: action.dims }));`;
    const encoded = Buffer.from(model).toString('base64');
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '-e',
      script,
      encoded,
    ]);
    expect(JSON.parse(stdout)).toEqual({ sessions: 1, dims: [1, 12] });
  });
});

describe('session options', () => {
  const create = (options: object) =>
    InferenceSession.create(model, options as InferenceSession.SessionOptions);

  test.each<[options: object, code: string, message: RegExp]>([
    [{ executionProvider: ['cpu'] }, 'ARGUMENT', /did you mean "executionProviders"/],
    [{ executionProviders: ['cuda'] }, 'ARGUMENT', /to name "espalier" or "cpu", got "cuda"/],
    [{ executionProviders: [{ name: 'espalier', isas: 'avx2' }] }, 'ARGUMENT', /did you mean "isa"/],
    [{ graphOptimizationLevel: 'most' }, 'ARGUMENT', /graphOptimizationLevel to be one of disabled/],
    [{ intraOpNumThreads: -1 }, 'ARGUMENT', /intraOpNumThreads to be at least 0/],
    [{ enableProfiling: true }, 'UNSUPPORTED', /no enableProfiling: profile\(\)/],
    [{ optimizedModelFilePath: 'x.onnx' }, 'UNSUPPORTED', /plans are not ONNX models/],
    [{ externalData: [{ path: 'a', data: 'b' }] }, 'UNSUPPORTED', /open the model by its path/],
    [{ preferredOutputLocation: { action: 'gpu-buffer' } }, 'UNSUPPORTED', /on the CPU, got gpu-buffer/],
  ])('%j is refused', async (options, code, message) => {
    const error = await create(options).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EspalierError);
    expect((error as EspalierError).message).toMatch(message);
    expect((error as EspalierError).code).toBe(`ERR_ESPALIER_${code}`);
  });

  it('other providers are passed over with a warning, beside the CPU', async () => {
    const warned = new Promise((resolve) => process.once('warning', resolve));
    const session = await create({ executionProviders: ['cuda', 'cpu'], preferredOutputLocation: 'cpu' });
    expect(String(await warned)).toMatch(/"cuda" are not available/);
    await expect(session.run({ obs: new Tensor(values, [1, 48]) }, { terminate: true })).rejects.toThrow(
      /terminate/,
    );
    await session.release();
  });
});

test('models may come in shared memory', async () => {
  const shared = new SharedArrayBuffer(model.length);
  new Uint8Array(shared).set(model);
  const session = await InferenceSession.create(shared);
  new Uint8Array(shared).fill(0); // the session has its own copy
  const [own] = Object.values(await session.run({ obs: new Tensor(values, [1, 48]) }));
  expect(own?.data.some((value) => value !== 0)).toBe(true);
  await session.release();
});

test('tensors are on the CPU and hold numbers', () => {
  const tensor = new Tensor(values, [1, 48]);
  for (const ask of [
    () => tensor.gpuBuffer,
    () => tensor.texture,
    () => tensor.mlTensor,
    () => tensor.toDataURL(),
  ])
    expect(ask).toThrow(expect.objectContaining({ code: 'ERR_ESPALIER_UNSUPPORTED' }));
  const texts = ['a'] as unknown as readonly boolean[];
  expect(() => new Tensor(texts)).toThrow(expect.objectContaining({ code: 'ERR_ESPALIER_TYPE' }));
  const halves = () => new Tensor('float16', [1]);
  if ('Float16Array' in globalThis) expect(halves().data[0]).toBe(1);
  else expect(halves).toThrow(/bits for a float16 tensor/);
  tensor.dispose();
  expect(tensor.location).toBe('none');
});
