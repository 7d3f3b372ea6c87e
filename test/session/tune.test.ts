import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession, type SessionOptions } from '../../src/index.js';
import { compareAll, Model, runOnnxruntime } from '../operators/support.js';

let cache = '';
beforeAll(async () => {
  cache = await mkdtemp(path.join(tmpdir(), 'espalier-tune-'));
  vi.stubEnv('XDG_CACHE_HOME', cache);
});
beforeEach(() => rm(path.join(cache, 'espalier'), { recursive: true, force: true }));
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true });
});

const cached = () => readdir(path.join(cache, 'espalier')).catch(() => []);

/** A grouped convolution and a product, half of their weights zero, with all that an epilogue has. */
function sparseModel(): Model {
  const m = new Model(22, 5);
  const half = () => (m.random() < 0.7 ? 0 : m.random() - 0.5);
  const x = m.input('float32', [2, 8, 6, 6]);
  const weight = m.constant('float32', [32, 4, 3, 3], half);
  const y = m.node('Conv', [x, weight, m.constant('float32', [32])], { group: 2, pads: [1, 1, 1, 1] });
  const flat = m.node('Flatten', [m.node('Relu', [y])]);
  const product = m.node('MatMul', [flat, m.constant('float32', [32 * 36, 24], half)]);
  m.output(m.node('Tanh', [m.node('Add', [product, m.constant('float32', [24])])]));
  return m;
}

describe('tune: load', () => {
  test.each([1, 2])(
    'measures, agrees with onnxruntime, and says what it measured, %i threads',
    async (threads) => {
      const m = sparseModel();
      const bytes = exportOnnx(m.graph());
      const shares: number[] = [];
      const options: SessionOptions = { threads, tune: 'load', onTune: (share) => shares.push(share) };
      using session = await InferenceSession.create(bytes, options);
      expect(compareAll(session.runSync(m.feeds), await runOnnxruntime(bytes, m.feeds))).toEqual([]);
      const layers = session.explain(m.feeds);
      expect(layers.map(({ op, n }) => [op, n])).toEqual([
        ['Conv', 36],
        ['MatMul', 2],
      ]);
      for (const { reason, candidates } of layers) {
        expect(reason).toMatch(/^measured: /);
        const times = candidates.flatMap(({ measuredMicroseconds: time }) =>
          time === undefined ? [] : [time],
        );
        expect(times.length).toBeGreaterThanOrEqual(2);
        for (const time of times) expect(time).toBeGreaterThan(0);
      }
      expect(shares).toEqual([0.5, 1]);
      expect(await cached()).toHaveLength(1);
    },
  );

  test('the cache can be turned off by option and by environment', async () => {
    const bytes = exportOnnx(sparseModel().graph());
    (await InferenceSession.create(bytes, { threads: 1, tune: 'load', tuneCache: false })).release();
    expect(await cached()).toEqual([]);
    vi.stubEnv('ESPALIER_CACHE', 'off');
    (await InferenceSession.create(bytes, { threads: 1, tune: 'load' })).release();
    vi.stubEnv('ESPALIER_CACHE', '');
    expect(await cached()).toEqual([]);
  });

  test('is off by default', async () => {
    const m = sparseModel();
    using session = await InferenceSession.create(exportOnnx(m.graph()), { threads: 1 });
    for (const { candidates } of session.explain(m.feeds)) {
      for (const candidate of candidates) expect(candidate).not.toHaveProperty('measuredMicroseconds');
    }
    expect(await cached()).toEqual([]);
  });
});

test.each([
  [{ tune: 'lazy' }, /tune to be one of off, load, got "lazy"/],
  [{ tuneCache: 'off' }, /tuneCache to be a boolean, got "off"/],
  [{ onTune: true }, /onTune to be a function, got true/],
  [{ spin: -1 }, /spin to be at least 0, got -1/],
  [{ spin: 0.5 }, /spin to be an integer, got 0\.5/],
  [{ spin: 1e7 }, /spin to be at most 1000000/],
  [{ weightStorage: 'int8' }, /weightStorage to be one of float32, float16, got "int8"/],
  [{ weightStorge: 'float16' }, /Unknown key "weightStorge".*did you mean "weightStorage"\?/],
])('%j is an error', async (options, message) => {
  const create = InferenceSession.create(exportOnnx(sparseModel().graph()), options as object);
  await expect(create).rejects.toThrow(message);
  await expect(create).rejects.toMatchObject({ code: 'ERR_ESPALIER_ARGUMENT' });
});
