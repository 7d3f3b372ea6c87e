// A control loop as users of onnxruntime-node write it.

import { readFile } from 'node:fs/promises';
import * as ort from 'onnxruntime-node';

const [model] = process.argv.slice(2);
const options = {
  executionProviders: ['cpu'],
  graphOptimizationLevel: 'all',
  executionMode: 'sequential',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  enableCpuMemArena: true,
  logSeverityLevel: 3,
};
ort.env.logLevel = 'error';
const session = await ort.InferenceSession.create(model, options);
const report = [session.inputNames, session.outputNames, session.inputMetadata, session.outputMetadata];
const show = ({ type, dims, data, size, location }) => ({ type, dims, data: [...data], size, location });

const values = Float32Array.from({ length: 96 }, (_, i) => Math.sin(i));
const feeds = { obs: new ort.Tensor('float32', values, [2, 48]) };
const results = await session.run(feeds);
report.push(Object.keys(results), show(results.action), results.action instanceof ort.Tensor);
report.push(show(results.action.reshape([3, 8])), (await results.action.getData()).length);
report.push(
  Object.keys(await session.run(feeds, ['action'])),
  show((await session.run(feeds, ['action'])).action),
);

const given = new ort.Tensor(new Float32Array(12), [1, 12]);
const one = { obs: new ort.Tensor(values.subarray(0, 48), [1, 48]) };
const written = await session.run(one, { action: given }, { tag: 'step' });
report.push(show(written.action), (await session.run(one, { tag: 'step' })).action.dims);
await session.release();

const bytes = await readFile(model);
const moved = new Uint8Array(bytes.length + 16);
moved.set(bytes, 16);
for (const args of [
  [new Uint8Array(bytes)],
  [moved.buffer, 16],
  [moved.buffer, 16, bytes.length, options],
  [new Uint8Array(bytes).buffer, options],
]) {
  const again = await ort.InferenceSession.create(...args);
  report.push(show((await again.run(one)).action));
  await again.release();
}

const failures = [
  () => ort.InferenceSession.create('absent.onnx'),
  () => ort.InferenceSession.create(moved.buffer, -1),
  () => ort.InferenceSession.create(model, { executionProviders: ['abacus'] }),
  async () => (await ort.InferenceSession.create(model)).run({}),
  async () => (await ort.InferenceSession.create(model)).run(feeds, ['absent']),
  async () => (await ort.InferenceSession.create(model)).run({ obs: new ort.Tensor('float64', [1], [1]) }),
  () => new ort.Tensor('float32', [1, 2], [3]),
  () => new ort.Tensor('abacus', [1], [1]),
  () => feeds.obs.reshape([5]),
  () => {
    given.dispose();
    return given.data;
  },
];
for (const fail of failures)
  report.push(
    await (async () => fail())().then(
      () => 'fine',
      () => 'error',
    ),
  );
const tensors = [
  new ort.Tensor('int64', [1, 2n, -3], [3]),
  new ort.Tensor('bool', [true, false]),
  new ort.Tensor([false, true], [2, 1]),
  new ort.Tensor(new Uint8ClampedArray([1, 2])),
  new ort.Tensor('uint8', new Uint8ClampedArray([1, 2])),
  new ort.Tensor(new BigInt64Array([5n]), []),
  new ort.Tensor('float16', new Uint16Array([0x3c00]), [1]),
];
report.push(...tensors.map(show));
const print = (_key, value) => (typeof value === 'bigint' ? `${value}n` : value);
console.log(JSON.stringify(report, print));
