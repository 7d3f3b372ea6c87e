import { expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession } from '../../src/index.js';
import { agreeOnRandom, Model } from '../operators/support.js';
import { stepsThatAgree } from './support.js';

agreeOnRandom('convolutions whose filters see little of their image', 150, (m) => {
  const axes = m.pick([1, 2]);
  const list = (make: () => number) => Array.from({ length: axes }, make);
  const spatial = list(() => m.int(1, 6));
  const kernel = list(() => m.int(1, 5));
  const dilations = list(() => m.pick([1, 2, 3, 7]));
  const strides = list(() => m.pick([1, 1, 2, 3]));
  const extent = kernel.map((size, i) => (size - 1) * (dilations[i] ?? 1) + 1);
  // At least one window fits.
  const begin = extent.map((size) => m.int(0, size + 2));
  const end = extent.map((size, i) =>
    Math.max(m.int(0, size + 2), size - (spatial[i] ?? 1) - (begin[i] ?? 0)),
  );
  const group = m.pick([1, 1, 2, 4]);
  const x = m.input('float32', [2, 4, ...spatial]);
  const w = m.constant('float32', [8, 4 / group, ...kernel]);
  const attributes = { kernel_shape: kernel, dilations, strides, pads: [...begin, ...end], group };
  m.output(m.node('Conv', [x, w, m.constant('float32', [8])], attributes));
  return { spatial, kernel, dilations, strides, begin, end, group };
});

test('a dilated filter on a plane that is smaller than its step is 1x1', async () => {
  const m = new Model(21, 5);
  const x = m.input('float32', [1, 6, 4, 4]);
  const attributes = { kernel_shape: [3, 3], dilations: [6, 6], pads: [6, 6, 6, 6] };
  m.output(m.node('Conv', [x, m.constant('float32', [8, 6, 3, 3])], attributes));
  expect(await stepsThatAgree(m)).toEqual(['conv2d']);
  const session = await InferenceSession.create(exportOnnx(m.graph()), { threads: 1 });
  expect(session.explain(m.feeds).map(({ outputs, inputs }) => [outputs, inputs])).toEqual([[8, 6]]);
  session.release();
});
