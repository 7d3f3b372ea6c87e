import { describe } from 'vitest';
import { agreeOnAll, agreeOnRandom, type Model } from './support.js';

const bytes = ['int8', 'uint8'] as const;
const scale = (m: Model, dims: number[] = []) => m.constant('float32', dims, () => 0.02 + m.random() / 10);

describe('quantised arithmetic', () => {
  agreeOnRandom(
    'QuantizeLinear, halves to even and saturating',
    20,
    (m) => {
      const type = m.pick(bytes);
      const axis = m.pick([undefined, 0, 1, -1]);
      const dims = [3, 4, 5];
      const along = axis === undefined ? [] : [dims.at(axis) ?? 1];
      // Multiples of a quarter of a scale that is a power of two: many ties.
      const x = m.input('float32', dims, () => m.int(-300, 300) / 16);
      const zero = m.constant(type, along);
      m.output(m.node('QuantizeLinear', [x, m.constant('float32', along, () => 0.125), zero], { axis }));
      return { type, axis };
    },
    { tolerance: 0 },
  );

  agreeOnRandom(
    'DequantizeLinear',
    20,
    (m) => {
      const type = m.pick([...bytes, 'int32'] as const);
      const axis = m.pick([undefined, 0, 1, -1]);
      const dims = [3, 4, 5];
      const along = axis === undefined ? [] : [dims.at(axis) ?? 1];
      const zero = type === 'int32' ? [] : [m.constant(type, along)];
      m.output(m.node('DequantizeLinear', [m.input(type, dims), scale(m, along), ...zero], { axis }));
      return { type, axis };
    },
    { tolerance: 0 },
  );

  agreeOnRandom(
    'a scale that exporters write as range / 255, to its last bit',
    20,
    (m) => {
      const x = m.input('float32', [7, 9], () => m.random() * 8 - 3);
      const [most, least] = ['ReduceMax', 'ReduceMin'].map((op) => m.node(op, [x], { keepdims: 0 }));
      m.output(m.node('Div', [m.node('Sub', [most ?? '', least ?? '']), m.scalar(255)]));
      return {};
    },
    { tolerance: 0 },
  );

  agreeOnAll('DynamicQuantizeLinear', [1, 2, 3, 4, 5], (m, size) => {
    m.output(...m.nodes('DynamicQuantizeLinear', [m.input('float32', [size, 7])], 3));
  });

  agreeOnRandom(
    'MatMulInteger',
    20,
    (m) => {
      const [rows, inner, columns] = [m.int(1, 9), m.int(1, 40), m.int(1, 9)];
      const [a, b] = [m.pick(bytes), m.pick(bytes)];
      const zeros = [m.constant(a, [], [3]), m.constant(b, m.pick([[], [columns]]))];
      const random = () => m.int(-100, 100);
      const factors = [m.input(a, [2, rows, inner], random), m.constant(b, [inner, columns], random)];
      m.output(m.node('MatMulInteger', [...factors, ...zeros]));
      return { a, b, rows, inner, columns };
    },
    { tolerance: 0 },
  );

  agreeOnRandom(
    'ConvInteger',
    15,
    (m) => {
      const groups = m.int(1, 2);
      const x = m.input('uint8', [1, 2 * groups, 6, 7], () => m.int(0, 255));
      const weight = m.constant('uint8', [4, 2, m.int(1, 3), m.int(1, 3)], () => m.int(0, 255));
      const zero = m.constant('uint8', [], [m.int(0, 255)]);
      const attributes = { group: groups, pads: [1, 0, 0, 1], strides: [m.int(1, 2), 1] };
      m.output(m.node('ConvInteger', [x, weight, zero], attributes));
      return attributes;
    },
    { tolerance: 0 },
  );

  agreeOnRandom(
    'QLinearMatMul and QLinearConv',
    15,
    (m) => {
      const type = m.pick(bytes);
      const random = () => m.int(type === 'int8' ? -100 : 0, 100);
      const zero = () => m.constant(type, [], [random()]);
      const factor = (dims: number[]) => [m.input(type, dims, random), scale(m), zero()];
      const weight = (dims: number[]) => [m.constant(type, dims, random), scale(m), zero()];
      const result = () => [m.constant('float32', [], [0.7]), zero()];
      m.output(
        m.node('QLinearMatMul', [...factor([5, 8]), ...weight([8, 6]), ...result()]),
        m.node('QLinearConv', [...factor([1, 3, 5, 5]), ...weight([4, 3, 3, 3]), ...result()], {
          pads: [1, 1, 1, 1],
        }),
      );
      return { type };
    },
    { tolerance: 0 },
  );

  agreeOnAll('one scale for each block', ['int8', 'uint8'] as const, (m, type) => {
    const dims = [4, 6];
    const parameters = [scale(m, [4, 3]), m.constant(type, [4, 3])];
    m.output(m.node('DequantizeLinear', [m.input(type, dims), ...parameters], { axis: 1, block_size: 2 }));
  });

  // Sums of these sizes fit into one float32 product, need two, and do not fit: the largest is some 255 * 127 * inner.
  agreeOnAll(
    'products of large numbers stay exact',
    [500, 900, 9000],
    (m, inner) => {
      const a = m.input('uint8', [2, inner], () => m.int(200, 255));
      const b = m.constant('int8', [inner, 17], () => m.pick([-128, 127, 127]));
      const zeros = [m.input('uint8', [], [m.int(0, 3)]), m.constant('int8', [17], () => m.int(-2, 2))];
      m.output(m.node('MatMulInteger', [a, b, ...zeros]));
    },
    { tolerance: 0 },
  );

  agreeOnAll(
    'convolutions that Winograd could run stay exact',
    [16, 96, 600],
    (m, channels) => {
      const x = m.input('uint8', [1, channels, 24, 25], () => m.int(0, 255));
      const weight = m.constant('int8', [16, channels, 3, 3], () => m.int(-127, 127));
      m.output(
        m.node('ConvInteger', [x, weight, m.input('uint8', [], [100])], { pads: [1, 1, 1, 1] }),
        m.node('ConvInteger', [x, m.constant('uint8', [channels, 1, 3, 3], () => m.int(0, 255))], {
          group: channels,
          auto_pad: 'SAME_UPPER',
          strides: [2, 2],
        }),
      );
    },
    { tolerance: 0 },
  );
});
