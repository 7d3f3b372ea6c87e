import { describe, expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession } from '../../src/index.js';
import { agreeOnRandom, compareAll, Model, runOnnxruntime } from './support.js';

/** Weights [outputs, channels, ...kernel] that are zero for whole outputs and whole channels, and here and there. */
function masked(m: Model, [outputs = 0, channels = 0, ...kernel]: readonly number[]): string {
  const [emptyOutputs, emptyChannels] = [m.pick([0, 0.3, 0.6, 1]), m.pick([0, 0.3, 0.6])];
  const sparsity = m.pick([0, 0, 0.6, 0.9]);
  const flags = (count: number, share: number) => Array.from({ length: count }, () => m.random() < share);
  const [skipsOutput, skipsChannel] = [flags(outputs, emptyOutputs), flags(channels, emptyChannels)];
  const taps = kernel.reduce((product, size) => product * size, 1);
  return m.constant('float32', [outputs, channels, ...kernel], (i) => {
    const channel = Math.floor(i / taps) % channels;
    const isZero = skipsOutput[Math.floor(i / taps / channels)] || skipsChannel[channel];
    return isZero || m.random() < sparsity ? 0 : m.random() - 0.5;
  });
}

/** What may follow a Conv and run with it. */
function withEpilogue(m: Model, y: string, dims: readonly number[]): string {
  const sum = m.pick([false, true]) ? m.node('Add', [m.input('float32', dims), y]) : y;
  return m.pick([false, true]) ? m.node('Relu', [sum]) : sum;
}

describe('channels without weights', () => {
  agreeOnRandom('any window', 60, (m) => {
    const [batch, channels, outputs, kernel] = [m.int(1, 2), m.int(1, 40), m.int(1, 60), m.pick([1, 3, 5])];
    const [stride, height, width] = [m.int(1, 2), m.int(kernel, 20), m.int(kernel, 40)];
    const x = m.input('float32', [batch, channels, height, width]);
    const w = masked(m, [outputs, channels, kernel, kernel]);
    const inputs = [x, w, ...(m.pick([false, true]) ? [m.constant('float32', [outputs])] : [])];
    const size = (length: number) => Math.floor((length - kernel) / stride) + 1;
    const y = m.node('Conv', inputs, { strides: [stride, stride] });
    m.output(withEpilogue(m, y, [batch, outputs, size(height), size(width)]));
    return { channels, outputs, kernel, stride, height, width };
  });

  agreeOnRandom('3 x 3 over enough pixels for Winograd', 8, (m) => {
    const [channels, outputs] = [m.int(24, 60), m.int(24, 70)];
    const [height, width] = [m.int(20, 40), m.int(20, 60)];
    const x = m.input('float32', [1, channels, height, width]);
    const y = m.node('Conv', [x, masked(m, [outputs, channels, 3, 3])], { pads: [1, 1, 1, 1] });
    m.output(withEpilogue(m, y, [1, outputs, height, width]));
    return { channels, outputs, height, width };
  });

  test('are skipped, and the explanation says so', async () => {
    const m = new Model();
    const x = m.input('float32', [1, 64, 9, 9]);
    const w = m.constant('float32', [64, 64, 1, 1], (i) =>
      i < 32 * 64 || i % 2 === 0 ? 0 : m.random() + 0.1,
    );
    m.output(m.node('Conv', [x, w]));
    using session = await InferenceSession.create(exportOnnx(m.graph()), { threads: 1 });
    const [layer] = session.explain(m.feeds);
    expect(layer).toMatchObject({ outputs: 32, inputs: 32, format: 'dense' });
    expect(layer?.reason).toContain('32 of 64 outputs and 32 of 64 channels have weights');
  });

  test('are skipped by single weights too, over planes that are read where they lie', async () => {
    const m = new Model();
    const x = m.input('float32', [1, 96, 24, 24]);
    const isKept = (channel: number) => channel % 3 !== 1 && m.random() < 0.15;
    const w = m.constant('float32', [128, 96, 1, 1], (i) => (isKept(i % 96) ? m.random() - 0.5 : 0));
    m.output(m.node('Conv', [x, w]));
    const bytes = exportOnnx(m.graph());
    using session = await InferenceSession.create(bytes, { threads: 1 });
    expect(compareAll(session.runSync(m.feeds), await runOnnxruntime(bytes, m.feeds))).toEqual([]);
    expect(session.explain(m.feeds)[0]).toMatchObject({ format: 'sell', inputs: 64 });
  });

  test('4x1 blocks stay whole, though an output of theirs is empty', async () => {
    const m = new Model();
    const x = m.input('float32', [1, 32, 12, 12]);
    const isKept = (output: number, channel: number) => (Math.floor(output / 4) * 7 + channel) % 5 === 0;
    const w = m.constant('float32', [64, 32, 1, 1], (i) => {
      const [output, channel] = [Math.floor(i / 32), i % 32];
      return output !== 7 && output < 48 && isKept(output, channel) ? m.random() + 0.1 : 0;
    });
    m.output(m.node('Conv', [x, w]));
    const bytes = exportOnnx(m.graph());
    using session = await InferenceSession.create(bytes, { threads: 1 });
    expect(compareAll(session.runSync(m.feeds), await runOnnxruntime(bytes, m.feeds))).toEqual([]);
    expect(session.explain(m.feeds)[0]?.outputs).toBe(48);
  });
});

describe('Gather of channels before a Conv', () => {
  agreeOnRandom('becomes an index', 30, (m) => {
    const [total, kernel, outputs] = [m.int(2, 40), m.pick([1, 3]), m.int(1, 40)];
    const channels = Array.from({ length: m.int(1, 40) }, () => m.int(-total, total - 1));
    const x = m.input('float32', [m.int(1, 2), total, m.int(3, 30), m.int(3, 30)]);
    const gathered = m.node('Gather', [x, m.list(channels)], { axis: m.pick([1, -3]) });
    m.output(m.node('Conv', [gathered, masked(m, [outputs, channels.length, kernel, kernel])]));
    return { total, kernel, outputs, channels };
  });

  test('copies nothing', async () => {
    const m = new Model();
    const x = m.input('float32', [1, 8, 6, 6]);
    const gathered = m.node('Gather', [x, m.list([6, 1, 3])], { axis: 1 });
    m.output(m.node('Conv', [gathered, m.constant('float32', [4, 3, 1, 1])]));
    using session = await InferenceSession.create(exportOnnx(m.graph()), { threads: 1 });
    expect(session.profile(m.feeds).map(({ op }) => op)).toEqual(['conv2d']);
  });
});
