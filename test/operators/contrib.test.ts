import { describe, expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession } from '../../src/index.js';
import { buildGraph, node } from '../graph/support.js';
import { agreeOnAll, agreeOnRandom, type Model } from './support.js';

/** An operator of onnxruntime's own. */
const own = (op: string) => `com.microsoft.${op}`;

describe('operators that onnxruntime adds to ONNX', () => {
  agreeOnAll('GELU in its forms', ['Gelu', 'BiasGelu', 'FastGelu', 'QuickGelu'], (m, op) => {
    const bias = op === 'BiasGelu' || op === 'FastGelu' ? [m.constant('float32', [7])] : [];
    m.output(m.node(own(op), [m.input('float32', [2, 3, 7]), ...bias]));
  });

  agreeOnRandom('FusedMatMul', 12, (m) => {
    const [transA, transB] = [m.int(0, 1), m.int(0, 1)];
    const a = m.input('float32', transA ? [2, 5, 3] : [2, 3, 5]);
    const dims = transB ? [4, 5] : [5, 4];
    const b = m.int(0, 1) ? m.constant('float32', dims) : m.input('float32', [2, ...dims]);
    m.output(m.node(own('FusedMatMul'), [a, b], { transA, transB, alpha: m.pick([1, 0.25]) }));
  });

  agreeOnAll(
    'FusedConv',
    [
      ['Relu', undefined],
      ['LeakyRelu', [0.2]],
      ['Clip', [-0.5, 0.5]],
      ['HardSigmoid', [0.3, 0.4]],
      ['Tanh', undefined],
      [undefined, undefined],
    ] as const,
    (m, [activation, activation_params]) => {
      const inputs = [
        m.input('float32', [1, 3, 6, 5]),
        m.constant('float32', [4, 3, 3, 3]),
        m.constant('float32', [4]),
      ];
      const added = m.int(0, 1) ? [m.input('float32', [1, 4, 6, 5])] : [];
      m.output(
        m.node(own('FusedConv'), [...inputs, ...added], {
          activation,
          activation_params,
          pads: [1, 1, 1, 1],
        }),
      );
    },
  );

  agreeOnAll('FusedGemm', ['Relu', 'LeakyRelu', 'Sigmoid'], (m, activation) => {
    const inputs = [m.input('float32', [3, 5]), m.constant('float32', [4, 5]), m.constant('float32', [4])];
    m.output(m.node(own('FusedGemm'), inputs, { transB: 1, activation, activation_alpha: 0.3 }));
  });

  agreeOnRandom('normalisations of sums', 12, (m) => {
    const x = m.input('float32', [2, 3, 16]);
    const skip = m.input('float32', [m.pick([1, 2]), 3, 16]);
    const vector = () => m.constant('float32', [16]);
    const [beta, bias] = [m.pick([vector(), '']), m.int(0, 1) ? [vector()] : []];
    const attributes = { epsilon: 1e-3 };
    const outputs = [true, false, false, true];
    const plain = m.nodes(
      own('SkipLayerNormalization'),
      [x, skip, vector(), beta, ...bias],
      outputs,
      attributes,
    );
    const simple = m.nodes(
      own('SkipSimplifiedLayerNormalization'),
      [x, skip, vector(), ...bias],
      outputs,
      attributes,
    );
    m.output(...[...plain, ...simple].filter((name) => name !== ''));
    m.output(m.node('SimplifiedLayerNormalization', [x, vector()], { axis: -1, ...attributes }));
  });

  agreeOnRandom('EmbedLayerNormalization', 6, (m) => {
    const ids = () => m.input('int32', [2, 5], () => m.int(0, 3));
    const table = (rows: number) => m.constant('float32', [rows, 8]);
    const vector = () => m.constant('float32', [8]);
    const segments = m.int(0, 1) === 1;
    const inputs = [
      ids(),
      segments ? ids() : '',
      table(4),
      table(9),
      segments ? table(4) : '',
      vector(),
      vector(),
    ];
    const mask = m.input('int32', [2, 5], (i) => Number(i % 5 < 3));
    m.output(...m.nodes(own('EmbedLayerNormalization'), [...inputs, mask], 2));
  });

  agreeOnRandom('Attention', 20, (m) => {
    const [batch, tokens, size, heads, past] = [
      m.int(1, 2),
      m.int(1, 5),
      12,
      m.pick([1, 3]),
      m.pick([0, 0, 4]),
    ];
    const x = m.input('float32', [batch, tokens, size]);
    const weights = m.constant('float32', [size, 3 * 6 * heads]);
    const keys = tokens + past;
    const mask = m.pick([
      '',
      m.input('int32', [batch, keys], () => m.int(0, 3) && 1),
      m.input('int32', [batch], () => m.int(1, keys)),
    ]);
    const cache = past > 0 ? [m.input('float32', [2, batch, heads, past, 6])] : [];
    const attributes = { num_heads: heads, unidirectional: mask === '' ? m.int(0, 1) : 0 };
    const inputs = [x, weights, m.constant('float32', [18 * heads]), mask, ...cache];
    m.output(...m.nodes(own('Attention'), inputs, past > 0 ? 2 : 1, attributes));
    return { batch, tokens, heads, past, mask, ...attributes };
  });

  agreeOnRandom('MultiHeadAttention', 20, (m) => {
    const [batch, queries, keys, heads, past] = [
      m.int(1, 2),
      m.int(1, 4),
      m.int(1, 6),
      m.pick([1, 2]),
      m.pick([0, 3]),
    ];
    const width = 4 * heads;
    const q = m.input('float32', [batch, queries, width]);
    const [k, v] = [m.input('float32', [batch, keys, width]), m.input('float32', [batch, keys, width])];
    const total = keys + past;
    const mask = m.pick([
      '',
      m.input('int32', [batch, total], (i) => Number(i % total < 1 || m.int(0, 1) === 1)),
    ]);
    const added = m.pick(['', m.input('float32', [1, heads, queries, total])]);
    const caches = past > 0 ? [0, 1].map(() => m.input('float32', [batch, heads, past, 4])) : [];
    const bias = m.pick(['', m.constant('float32', [3 * width])]);
    const inputs = [q, k, v, bias, mask, added, ...caches];
    m.output(...m.nodes(own('MultiHeadAttention'), inputs, past > 0 ? 3 : 1, { num_heads: heads }));
    return { batch, queries, keys, heads, past, mask, added, bias };
  });

  agreeOnRandom(
    'MatMulNBits',
    16,
    (m) => {
      const [inner, columns, size] = [m.pick([32, 48, 70]), m.int(1, 9), m.pick([16, 32])];
      const bits = m.pick([4, 8]);
      const blocks = Math.ceil(inner / size);
      const bytes = m.constant('uint8', [columns, blocks, (size * bits) / 8], () => m.int(0, 255));
      const scales = m.constant('float32', [columns * blocks], () => 0.01 + m.random() / 10);
      const zeros = m.int(0, 1)
        ? [m.constant('uint8', [columns * Math.ceil((blocks * bits) / 8)], () => m.int(0, 255))]
        : [];
      const attributes = { K: inner, N: columns, bits, block_size: size };
      m.output(
        m.node(own('MatMulNBits'), [m.input('float32', [2, 3, inner]), bytes, scales, ...zeros], attributes),
      );
      return attributes;
    },
    { tolerance: 1e-4 },
  ); // onnxruntime may multiply by 8-bit inputs where it has a kernel for it

  const scale = (m: Model, dims: number[] = []) => m.constant('float32', dims, () => 0.02 + m.random() / 10);
  const code = (m: Model) => m.constant('uint8', [], [m.int(0, 200)]);
  const factor = (m: Model, dims: number[]) => [
    m.input('uint8', dims, () => m.int(0, 255)),
    scale(m),
    code(m),
  ];

  // onnxruntime rounds products of scales in another order: a tie may fall to the other side.
  const tie = { tolerance: 0.02 };

  agreeOnRandom(
    'sums, products and joins of quantised numbers',
    10,
    (m) => {
      const result = () => [m.constant('float32', [], [0.11]), code(m)];
      const [a, b] = [factor(m, [2, 3, 4]), factor(m, [3, 1])];
      const sum = m.node(own('QLinearAdd'), [...a, ...b, ...result()]);
      const product = m.node(own('QLinearMul'), [...a, ...b, ...result()]);
      const joined = m.node(own('QLinearConcat'), [...result(), ...a, ...factor(m, [2, 5, 4])], { axis: 1 });
      m.output(...[sum, product, joined].map((value) => m.cast(value, 'float32')));
    },
    tie,
  );

  agreeOnRandom(
    'functions and pools of quantised numbers',
    10,
    (m) => {
      const result = () => [m.constant('float32', [], [0.02]), code(m)];
      const image = factor(m, [1, 3, 6, 7]);
      const values = [
        m.node(own('QLinearSigmoid'), [...image, ...result()]),
        m.node(own('QLinearLeakyRelu'), [...image, ...result()], { alpha: 0.1 }),
        m.node(own('QLinearGlobalAveragePool'), [...image, ...result()]),
        m.node(own('QLinearAveragePool'), [...image, ...result()], { kernel_shape: [2, 2], strides: [2, 1] }),
        m.node(
          own('QLinearSoftmax'),
          [...image, m.constant('float32', [], [1 / 256]), m.constant('uint8', [], [0])],
          {
            axis: -1,
            opset: 13,
          },
        ),
      ];
      m.output(...values.map((value) => m.cast(value, 'float32')));
    },
    tie,
  );

  agreeOnRandom(
    'products by dynamically quantised numbers',
    10,
    (m) => {
      const [inner, columns] = [m.int(1, 40), m.int(1, 9)];
      const a = m.input('float32', [2, 3, inner]);
      const b = m.constant('int8', [inner, columns], () => m.int(-127, 127));
      const [bScale, bZero] = [scale(m, m.pick([[], [columns]])), m.constant('int8', [], [0])];
      const bias = m.int(0, 1) ? [m.constant('float32', [columns])] : [];
      const [codes = '', aScale = '', aZero = ''] = m.nodes('DynamicQuantizeLinear', [a], 3);
      m.output(
        m.node(own('DynamicQuantizeMatMul'), [a, b, bScale, bZero, ...bias]),
        m.node(own('MatMulIntegerToFloat'), [codes, b, aScale, bScale, aZero, bZero, ...bias]),
      );
    },
    { tolerance: 1e-4 },
  );

  test('others are refused with their domain', async () => {
    const graph = buildGraph({
      opset: 17,
      inputs: { x: ['float32', 2] },
      nodes: [{ ...node('BeamSearch', ['x'], ['y']), domain: 'com.microsoft' }],
      outputs: { y: 'float32' },
    });
    await expect(InferenceSession.create(exportOnnx(graph))).rejects.toThrow(
      'com.microsoft.BeamSearch (opset 1) in node BeamSearch_y',
    );
  });
});
