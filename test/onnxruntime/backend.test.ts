import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import ort from 'onnxruntime-node';
import { describe, expect, it, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import byDefault, * as whole from '../../src/onnxruntime/index.js';
import {
  EspalierError,
  env,
  espalierBackend,
  InferenceSession,
  Tensor,
} from '../../src/onnxruntime/index.js';
import { buildGraph, node } from '../graph/support.js';
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

test('the members are those of onnxruntime-node, as names and by default', () => {
  const traces = /^TRACE/; // functions that its own packages write traces with
  const members = Object.keys(ort).filter((name) => !traces.test(name));
  expect(Object.keys(whole)).toEqual(expect.arrayContaining([...members, 'default']));
  expect(Object.keys(byDefault)).toEqual(Object.keys(whole).filter((name) => name !== 'default'));
  expect(byDefault.InferenceSession).toBe(InferenceSession);
  expect(Object.getOwnPropertyNames(Tensor)).toEqual(
    expect.arrayContaining(Object.getOwnPropertyNames(ort.Tensor).filter((name) => name.startsWith('from'))),
  );
});

test('sessions here run on espalier alone', () => {
  expect(byDefault.listSupportedBackends()).toEqual([
    { name: 'cpu', bundled: true },
    { name: 'espalier', bundled: true },
  ]);
  byDefault.registerBackend('espalier', espalierBackend, -1);
  const unsupported = (message: RegExp) =>
    expect.objectContaining({
      code: 'ERR_ESPALIER_UNSUPPORTED',
      message: expect.stringMatching(message) as string,
    });
  expect(() => byDefault.registerBackend('cpu', { ...espalierBackend }, 1)).toThrow(unsupported(/another/));
  expect(() => byDefault.registerBackend('abacus', espalierBackend, 1)).toThrow(unsupported(/the name "aba/));
});

test('env.logLevel takes the levels that there are', () => {
  for (const environment of [env, ort.env]) {
    const flags: { logLevel?: unknown } = environment;
    const before = flags.logLevel;
    expect(() => {
      flags.logLevel = 'loud';
    }).toThrow(environment === env ? EspalierError : Error);
    expect(flags.logLevel).toBe(before);
    flags.logLevel = 'fatal';
    flags.logLevel = undefined;
    expect(flags.logLevel).toBe('fatal');
    flags.logLevel = before;
  }
});

test('a scalar takes one element under any dims, from a tensor of either package', async () => {
  const graph = buildGraph({
    opset: 13,
    inputs: { x: ['float32', 2], by: ['float32'] },
    nodes: [node('Mul', ['x', 'by'], ['y'])],
    outputs: { y: 'float32' },
  });
  const session = await InferenceSession.create(exportOnnx(graph));
  expect(session.inputMetadata[1]).toMatchObject({ name: 'by', shape: [] });
  const x = new Tensor('float32', [1, 2], [2]);
  for (const by of [
    new Tensor('float32', [3], []),
    new Tensor('float32', [3]),
    new ort.Tensor(Float32Array.of(3), [1, 1]),
  ])
    expect([...((await session.run({ x, by }))['y']?.data ?? [])]).toEqual([3, 6]);
  const two = session.run({ x, by: new Tensor('float32', [3, 4]) });
  await expect(two).rejects.toThrow('Expected input "by" to be float32 [], got float32 [2]');
  // Only scalars: what has axes keeps them.
  await expect(session.run({ x: new Tensor('float32', [1, 2], [1, 2]), by: x })).rejects.toThrow(/"x"/);
  await session.release();
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

test('tensors are on the CPU and hold numbers', async () => {
  const tensor = new Tensor(values, [1, 48]);
  for (const ask of [
    () => tensor.gpuBuffer,
    () => tensor.texture,
    () => tensor.mlTensor,
    () => tensor.toDataURL(),
    () => Tensor.fromTexture(undefined, {}),
    () => Tensor.fromGpuBuffer(undefined, {}),
    () => Tensor.fromMLTensor(undefined, {}),
  ])
    expect(ask).toThrow(expect.objectContaining({ code: 'ERR_ESPALIER_UNSUPPORTED' }));
  await expect(Tensor.fromImage('a.png')).rejects.toMatchObject({ code: 'ERR_ESPALIER_UNSUPPORTED' });
  for (const make of [
    () => new Tensor(['a']),
    () => new Tensor('string', ['a'], [1]),
    () => new Tensor('int4', new Int8Array(2), [2]),
  ])
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_ESPALIER_TYPE' }));
  const session = await InferenceSession.create(model);
  const texts = new ort.Tensor('string', Array(48).fill('a'), [1, 48]);
  await expect(session.run({ obs: texts })).rejects.toMatchObject({ code: 'ERR_ESPALIER_TYPE' });
  await session.release();
  expect(Tensor.fromPinnedBuffer('float32', values, [48]).data).toBe(values);
  const halves = () => new Tensor('float16', [1]);
  if ('Float16Array' in globalThis) expect(halves().data[0]).toBe(1);
  else expect(halves).toThrow(/bits for a float16 tensor/);
  tensor.dispose();
  expect(tensor.location).toBe('none');
});
