import ort from 'onnxruntime-node';
import { describe, expect, it, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import * as own from '../../src/onnxruntime/index.js';
import { EspalierError, InferenceSession, Tensor } from '../../src/onnxruntime/index.js';
import { policyGraph } from '../session/support.js';

const model = exportOnnx(policyGraph());
const values = Float32Array.from({ length: 48 }, (_, i) => Math.cos(i));

describe('session options', () => {
  const create = (options: object) =>
    InferenceSession.create(model, options as InferenceSession.SessionOptions);

  test.each<[options: object, code: string, message: RegExp]>([
    [{ executionProvider: ['cpu'] }, 'ARGUMENT', /did you mean "executionProviders"/],
    [{ executionProviders: ['cuda'] }, 'ARGUMENT', /to name "espalier" or "cpu", got "cuda"/],
    [{ executionProviders: [{ name: 'espalier', isas: 'avx2' }] }, 'ARGUMENT', /did you mean "isa"/],
    [{ executionMode: 'at once' }, 'ARGUMENT', /executionMode to be one of sequential, parallel, got "at/],
    [{ enableMemPattern: 1 }, 'ARGUMENT', /enableMemPattern to be a boolean, got 1/],
    [{ logSeverityLevel: 9 }, 'ARGUMENT', /logSeverityLevel to be at most 4/],
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

  test.each<[name: string, values: readonly unknown[]]>([
    ['executionMode', ['sequential', 'parallel', 'at once', 1, null]],
    ['graphOptimizationLevel', ['disabled', 'layout', 'all', 'most', null]],
    ['interOpNumThreads', [0, 2, -1, 'two']],
    ['enableCpuMemArena', [true, 'yes']],
    ['enableMemPattern', [false, 1]],
    ['logId', ['model', 5]],
    ['logSeverityLevel', [3, 4, 5, 1.5]],
    ['extra', [{}, 5]],
  ])('%s takes what onnxruntime takes, and no more', async (name, candidates) => {
    const accepts = async (factory: ort.InferenceSessionFactory, value: unknown) => {
      const session = await factory.create(model, { [name]: value }).catch(() => undefined);
      await session?.release();
      return session !== undefined;
    };
    const verdicts = async (factory: ort.InferenceSessionFactory) => {
      const all: boolean[] = [];
      for (const value of candidates) all.push(await accepts(factory, value));
      return all;
    };
    const expected = await verdicts(ort.InferenceSession);
    expect(new Set(expected).size).toBe(2);
    expect(await verdicts(InferenceSession)).toEqual(expected);
  });

  it('options of a run are checked as onnxruntime checks them', async () => {
    const candidates = [{ tag: 'a' }, { tag: 5 }, { logSeverityLevel: 9 }, { more: 1 }, { terminate: false }];
    for (const { InferenceSession: factory, Tensor: Make } of [own, ort]) {
      const feeds = { obs: new Make('float32', values, [1, 48]) };
      const session = await factory.create(model);
      const results = await Promise.allSettled(
        candidates.map((options) => session.run(feeds, options as object)),
      );
      await session.release();
      const [good, bad] = ['fulfilled', 'rejected'];
      expect(results.map(({ status }) => status)).toEqual([good, bad, bad, good, good]);
    }
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
