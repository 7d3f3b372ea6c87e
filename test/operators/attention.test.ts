import { describe, expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import type { Tensor } from '../../src/index.js';
import {
  agreeOnAll,
  agreeOnRandom,
  type Model,
  Model as ModelClass,
  type Plain,
  runEspalier,
} from './support.js';

interface Form {
  readonly flat: boolean;
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly past: number;
  readonly size: number;
  readonly valueSize: number;
  readonly mask: 'none' | 'bool' | 'float' | 'known';
  readonly attributes: Plain;
}

/** Q, K, V in either form, a mask that shows every query the first key, a past. */
function addAttention(m: Model, form: Form): string[] {
  const { flat, batch, heads, kvHeads, queries, keys, past, size, valueSize, mask, attributes } = form;
  const tensor = (count: number, tokens: number, own: number) =>
    m.input('float32', flat ? [batch, tokens, count * own] : [batch, count, tokens, own]);
  const inputs = [
    tensor(heads, queries, size),
    tensor(kvHeads, keys, size),
    tensor(kvHeads, keys, valueSize),
  ];
  const total = past + keys;
  const dims = m.pick([
    [queries, total],
    [batch, 1, queries, total],
    [1, heads, queries, total],
    ...(flat ? [] : [[batch, 1, 1, total]]), // onnxruntime wants all queries in the mask of such inputs
  ]);
  const shown = (i: number) => (i % total === 0 || m.random() < 0.6 ? 1 : 0);
  if (mask === 'none') inputs.push('');
  if (mask === 'bool') inputs.push(m.input('bool', dims, shown));
  if (mask === 'known') inputs.push(m.constant('bool', dims, shown));
  if (mask === 'float') inputs.push(m.input('float32', dims));
  if (past > 0) {
    inputs.push(m.input('float32', [batch, kvHeads, past, size]));
    inputs.push(m.input('float32', [batch, kvHeads, past, valueSize]));
  }
  const plain = flat ? { q_num_heads: heads, kv_num_heads: kvHeads } : {};
  return m.nodes('Attention', inputs, past > 0 ? 3 : 1, { ...plain, ...attributes });
}

function randomForm(m: Model): Form {
  const kvHeads = m.int(1, 3);
  const mask = m.pick(['none', 'bool', 'float', 'known'] as const);
  const past = m.pick([0, 0, 3, 20]);
  const queries = m.int(1, 20);
  const causal = m.int(0, 2) === 0;
  return {
    flat: m.int(0, 1) === 1,
    batch: m.int(1, 2),
    heads: kvHeads * m.int(1, 3),
    kvHeads,
    queries,
    keys: causal ? queries : m.int(1, 40),
    past,
    size: m.pick([1, 4, 16]),
    valueSize: m.pick([1, 5, 16]),
    mask,
    attributes: { is_causal: causal ? 1 : 0, scale: m.pick([undefined, 0.7]) },
  };
}

describe('Attention', () => {
  agreeOnRandom(
    'of opset 23 in random forms',
    60,
    (m) => {
      const form = randomForm(m);
      m.output(...addAttention(m, form));
      return form;
    },
    { opset: 23 },
  );

  const plain: Form = {
    flat: false,
    batch: 2,
    heads: 2,
    kvHeads: 2,
    queries: 3,
    keys: 5,
    past: 0,
    size: 4,
    valueSize: 4,
    mask: 'none',
    attributes: {},
  };

  agreeOnAll(
    'with softcap',
    [0.5, 5],
    (m, softcap) => {
      m.output(...addAttention(m, { ...plain, attributes: { softcap } }));
    },
    { opset: 23 },
  );

  /** Hand-worked: one head of one value, so that scores are products. */
  async function byHand(attributes: Plain, mask?: readonly number[], outputs = 1): Promise<number[][]> {
    const m = new ModelClass(24);
    const inputs = [
      m.input('float32', [1, 1, 2, 1], [1, 2]),
      m.input('float32', [1, 1, 2, 1], [1, 3]),
      m.input('float32', [1, 1, 2, 1], [10, 20]),
      mask === undefined ? '' : m.input('float32', [2, 2], mask as number[]),
    ];
    const names = m.nodes('Attention', inputs, outputs, attributes);
    m.output(...names);
    const results = await runEspalier(exportOnnx(m.graph()), m.feeds);
    return names.map((name) => [...((results[name] as Tensor).data as Float32Array)]);
  }

  test('gives zeros to a query that sees no key', async () => {
    const [y] = await byHand({}, [0, -Infinity, -Infinity, -Infinity]);
    expect(y).toEqual([10, 0]);
  });

  test('caps scores before the mask, so that what is hidden stays hidden', async () => {
    const [y] = await byHand({ softcap: 1 }, [0, -Infinity, -Infinity, 0]);
    expect(y).toEqual([10, 20]);
  });

  test.each([
    [0, [1, 3, 2, 6]],
    [1, [1, 3, 2, 6].map((score) => 4 * Math.tanh(score / 4))],
    [
      2,
      [1, -Infinity, 2, 6].map((score) => 4 * Math.tanh(score / 4)).map((v, i) => (i === 1 ? -Infinity : v)),
    ],
    [3, [1, 0, 0, 0]],
  ])('shows its scores in mode %i', async (mode, expected) => {
    const attributes = { softcap: 4, qk_matmul_output_mode: mode };
    const [, , , scores] = await byHand(attributes, [0, -Infinity, 0, 0], 4);
    if (mode === 3) {
      const [a = 0, b = 0] = [2, 6].map((score) => Math.exp(4 * Math.tanh(score / 4)));
      expected = [1, 0, a / (a + b), b / (a + b)];
    }
    for (const [i, value] of expected.entries()) expect(scores?.[i]).toBeCloseTo(value, 5);
  });

  test('of opset 24 counts the keys that are valid in each image', async () => {
    const m = new ModelClass(24);
    const tensor = (tokens: number, fill: number[]) => m.input('float32', [2, 1, tokens, 1], fill);
    const inputs = [tensor(1, [0, 0]), tensor(3, [1, 2, 3, 4, 5, 6]), tensor(3, [3, 6, 9, 12, 15, 18])];
    const valid = m.input('int64', [2], [2, 3]);
    m.output(...m.nodes('Attention', [...inputs, '', '', '', valid], 1, {}));
    const [y] = Object.values(await runEspalier(exportOnnx(m.graph()), m.feeds));
    expect([...((y as Tensor).data as Float32Array)]).toEqual([4.5, 15]);
  });

  test.each([
    [{ q_num_heads: 3, kv_num_heads: 2 }, /8 values of input 0 are no 3 heads \(q_num_heads\)/],
    [{ q_num_heads: 2, kv_num_heads: 4 }, /do not fit together/],
    [{ q_num_heads: 2, kv_num_heads: 2, softmax_precision: 11 }, /a softmax_precision of float64/],
  ])('is refused with %o', (attributes, message) => {
    const m = new ModelClass(23);
    const inputs = [1, 2, 3].map(() => m.input('float32', [1, 2, 8]));
    m.output(...m.nodes('Attention', inputs, 1, attributes));
    expect(() => m.graph()).toThrow(message);
  });
});

describe('RotaryEmbedding', () => {
  agreeOnRandom(
    'in random forms',
    24,
    (m) => {
      const [batch, heads, tokens, half] = [m.int(1, 2), m.int(1, 3), m.int(1, 6), m.int(1, 8)];
      const flat = m.int(0, 1) === 1;
      const size = 2 * half + m.pick([0, 0, 4]);
      const hasPositions = m.int(0, 1) === 1;
      const table = hasPositions ? [tokens + 5, half] : [batch, tokens, half];
      const inputs = [
        m.input('float32', flat ? [batch, tokens, heads * size] : [batch, heads, tokens, size]),
        m.input('float32', table),
        m.input('float32', table),
      ];
      if (hasPositions) inputs.push(m.input('int64', [batch, tokens], () => m.int(0, tokens + 4)));
      const attributes = {
        interleaved: m.int(0, 1),
        num_heads: flat ? heads : undefined,
        rotary_embedding_dim: size === 2 * half ? undefined : 2 * half,
      };
      m.output(m.node('RotaryEmbedding', inputs, attributes));
      return { flat, batch, heads, tokens, half, size, ...attributes };
    },
    { opset: 23 },
  );
});

describe('TensorScatter', () => {
  agreeOnRandom(
    'in random forms',
    16,
    (m) => {
      const [batch, length] = [m.int(1, 3), m.int(3, 8)];
      const count = m.int(1, 3);
      const mode = m.pick(['linear', 'circular']);
      const [dims, axis] = m.pick([
        [[batch, 2, length, 4], -2],
        [[batch, length, 3], 1],
        [[batch, 2, length], 2],
      ] as [number[], number][]);
      const at = axis < 0 ? axis + dims.length : axis;
      const inputs = [m.input('float32', dims), m.input('float32', dims.with(at, count))];
      if (m.int(0, 2) > 0)
        inputs.push(
          m.input('int64', [batch], () => m.int(0, mode === 'linear' ? length - count : length - 1)),
        );
      m.output(m.node('TensorScatter', inputs, { mode, axis }));
      return { dims, axis, count, mode };
    },
    { opset: 24, tolerance: 0 },
  );
});

describe('AffineGrid and Det', () => {
  agreeOnAll(
    'AffineGrid',
    [
      [[2, 3, 4, 5], 0],
      [[2, 3, 4, 5], 1],
      [[1, 2, 3, 4, 5], 0],
      [[1, 2, 3, 4, 5], 1],
    ] as const,
    (m, [size, corners]) => {
      const axes = size.length - 2;
      const theta = m.input('float32', [size[0], axes, axes + 1]);
      m.output(m.node('AffineGrid', [theta, m.list(size)], { align_corners: corners }));
    },
    { opset: 20 },
  );

  agreeOnAll(
    'Det',
    [
      [1, 1],
      [2, 2],
      [3, 3],
      [5, 4, 4],
      [2, 3, 7, 7],
    ],
    (m, dims) => {
      m.output(m.node('Det', [m.input('float32', dims)]));
    },
  );

  test('Det of matrices that need another order of rows, and of singular ones', async () => {
    const m = new ModelClass();
    const rows = [0, 2, 0, 0, 0, 3, 5, 0, 0, /* */ 1, 2, 3, 2, 4, 6, 7, 8, 9];
    m.output(m.node('Det', [m.input('float32', [2, 3, 3], rows)]));
    const [y] = Object.values(await runEspalier(exportOnnx(m.graph()), m.feeds));
    expect([...((y as Tensor).data as Float32Array)].map((value) => Math.round(value) + 0)).toEqual([30, 0]);
  });
});
