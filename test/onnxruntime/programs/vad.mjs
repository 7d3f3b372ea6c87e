// Voice activity by the models of @ricky0123/vad-web, which take onnxruntime as an argument. They feed the sampling rate,
// a scalar, as `new Tensor('int64', [16000n])`.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as ort from 'onnxruntime-node';

const [folder] = process.argv.slice(2);
const { SileroLegacy, Silero } = createRequire(import.meta.url)(path.join(folder, 'models'));
const models = [
  [SileroLegacy, 'silero_vad_legacy.onnx', 1536],
  [Silero, 'silero_vad_v5.onnx', 512],
  [Silero, 'silero_vad_v6.onnx', 512],
];
const report = [];
for (const [Model, file, length] of models) {
  const model = await Model.new(
    ort,
    async () => new Uint8Array(await readFile(path.join(folder, file))).buffer,
  );
  for (let frame = 0; frame < 4; frame++) {
    const audio = Float32Array.from({ length }, (_, i) => Math.sin((i + frame * length) / (10 + frame)));
    report.push(await model.process(audio));
  }
  model.reset_state();
  report.push(await model.process(new Float32Array(length)));
  await model.release();
}
console.log(JSON.stringify(report)); // the last line: the package logs before it
