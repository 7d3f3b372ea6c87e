import { describe } from 'vitest';
import { agreeOnAll, agreeOnRandom, type Model } from './support.js';

const sizes = (m: Model, axes: number, low: number, high: number) =>
  Array.from({ length: axes }, () => m.int(low, high));

/** A window with pads smaller than the kernel, over an input it fits. */
function window(m: Model, dilated: boolean) {
  const axes = m.int(1, 2);
  const kernel_shape = sizes(m, axes, 1, 5);
  const dilations = dilated ? sizes(m, axes, 1, 3) : undefined;
  const pads = m.pick([undefined, [...kernel_shape, ...kernel_shape].map((size) => m.int(0, size - 1))]);
  const spatial = kernel_shape.map((size, axis) => (size - 1) * (dilations?.[axis] ?? 1) + m.int(1, 9));
  return {
    spatial,
    attributes: { kernel_shape, dilations, pads, strides: sizes(m, axes, 1, 4), ceil_mode: m.int(0, 1) },
  };
}

describe('pools', () => {
  agreeOnRandom('MaxPool', 120, (m) => {
    const { spatial, attributes } = window(m, true);
    m.output(m.node('MaxPool', [m.input('float32', [m.int(1, 2), m.int(1, 7), ...spatial])], attributes));
    return { spatial, attributes };
  });

  agreeOnRandom('AveragePool', 160, (m) => {
    const { spatial, attributes } = window(m, m.int(0, 1) === 0);
    const all = { ...attributes, count_include_pad: m.int(0, 1) };
    m.output(m.node('AveragePool', [m.input('float32', [m.int(1, 2), m.int(1, 7), ...spatial])], all));
    return { spatial, all };
  });

  agreeOnAll(
    'auto_pad',
    ['MaxPool', 'AveragePool'].flatMap((op) =>
      ['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((auto_pad) =>
        [1, 2, 3].flatMap((stride) =>
          [0, 1].map((count_include_pad) => ({ op, auto_pad, stride, count_include_pad })),
        ),
      ),
    ),
    (m, { op, auto_pad, stride, count_include_pad }) => {
      const spatial = sizes(m, 2, 4, 9);
      // A kernel narrower than its stride would need negative pads, which onnxruntime refuses.
      const attributes = { auto_pad, strides: [stride, m.int(1, 3)], kernel_shape: sizes(m, 2, 3, 4) };
      const own = op === 'MaxPool' ? attributes : { ...attributes, count_include_pad };
      m.output(m.node(op, [m.input('float32', [1, 3, ...spatial])], own));
      return { spatial, attributes };
    },
  );

  agreeOnAll(
    'opset 7 and 11 forms',
    [7, 11],
    (m) => {
      const x = m.input('float32', [1, 3, 9, 11]);
      m.output(m.node('MaxPool', [x], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1] }));
      m.output(m.node('AveragePool', [x], { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 0, 0, 1] }));
    },
    { opset: 7 },
  );

  agreeOnAll(
    'global pools',
    ['GlobalAveragePool', 'GlobalMaxPool'].flatMap((op) =>
      [[1], [7], [5, 3], [1, 1], [13, 17]].map((spatial) => ({ op, spatial })),
    ),
    (m, { op, spatial }) => {
      m.output(m.node(op, [m.input('float32', [m.int(1, 3), m.int(1, 20), ...spatial])]));
    },
  );

  // No window holds -Infinity alone: onnxruntime's MaxPool starts from the lowest finite number.
  agreeOnAll('a window of infinities and padding', ['MaxPool', 'AveragePool'], (m, op) => {
    const values = [5, -Infinity, 3, -2, Infinity, -7];
    const x = m.input('float32', [1, 1, 2, 3], values);
    m.output(m.node(op, [x], { kernel_shape: [2, 2], pads: [0, 1, 0, 1] }));
  });
});
