import { describe, expect, test } from 'vitest';
import { compile } from '../../src/compile/compile.js';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession } from '../../src/index.js';
import { feedsOf, smallNetworks } from '../networks/small.js';
import { Model } from '../operators/support.js';
import { stepsThatAgree } from './support.js';

interface Form {
  readonly batch?: number;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly queries: number;
  readonly keys: number;
  readonly size?: number;
  readonly vSize?: number;
  /** Dims of a mask of zeros and -1e9, or of any numbers; [] is none. */
  readonly mask?: readonly number[];
  readonly values?: 'hidden' | 'any';
  /** Where the scale is: behind the product, on the queries, on both, or nowhere. */
  readonly scale?: 'scores' | 'queries' | 'both';
}

/** [batch, tokens, heads * size] -> [batch, heads, tokens, size], as exporters write it. */
function split(m: Model, x: string, batch: number, tokens: number, heads: number, size: number): string {
  return m.node('Transpose', [m.node('Reshape', [x, m.list([batch, tokens, heads, size])])], {
    perm: [0, 2, 1, 3],
  });
}

function repeat(
  m: Model,
  x: string,
  batch: number,
  tokens: number,
  form: { heads: number; kvHeads: number; size: number },
): string {
  const { heads, kvHeads, size } = form;
  if (heads === kvHeads) return x;
  const wide = m.node('Expand', [
    m.node('Unsqueeze', [x, m.list([2])]),
    m.list([batch, kvHeads, heads / kvHeads, tokens, size]),
  ]);
  return m.node('Reshape', [wide, m.list([batch, heads, tokens, size])]);
}

function attention(m: Model, form: Form): string {
  const {
    batch = 1,
    heads = 4,
    queries,
    keys,
    size = 16,
    mask = [],
    values = 'any',
    scale = 'scores',
  } = form;
  const { kvHeads = heads, vSize = size } = form;
  const input = (tokens: number, width: number) =>
    m.input('float32', [batch, tokens, width], () => m.random() * 4 - 2);
  let q = split(m, input(queries, heads * size), batch, queries, heads, size);
  const k = split(m, input(keys, kvHeads * size), batch, keys, kvHeads, size);
  const v = split(m, input(keys, kvHeads * vSize), batch, keys, kvHeads, vSize);
  let kT = m.node('Transpose', [repeat(m, k, batch, keys, { heads, kvHeads, size })], { perm: [0, 1, 3, 2] });
  const factor = m.scalar(scale === 'both' ? size ** -0.25 : size ** -0.5);
  if (scale !== 'scores') q = m.node('Mul', [q, factor]);
  if (scale === 'both') kT = m.node('Mul', [kT, factor]);
  let scores = m.node('MatMul', [q, kT]);
  if (scale === 'scores') scores = m.node('Mul', [scores, factor]);
  if (mask.length > 0) {
    const fill = values === 'any' ? () => m.random() * 6 - 3 : (i: number) => (i % 3 === 1 ? -1e9 : 0);
    scores = m.node('Add', [m.input('float32', mask, fill), scores]);
  }
  const weights = m.node('Softmax', [scores], { axis: -1 });
  const mixed = m.node('MatMul', [weights, repeat(m, v, batch, keys, { heads, kvHeads, size: vSize })]);
  const back = m.node('Transpose', [mixed], { perm: [0, 2, 1, 3] });
  return m.node('Reshape', [back, m.list([batch, queries, heads * vSize])]);
}

const one = (form: Form, steps: readonly string[], threads = 1) =>
  test(`${JSON.stringify(form)}, ${threads} threads`, async () => {
    const m = new Model();
    m.output(attention(m, form));
    expect(await stepsThatAgree(m, { session: { threads } })).toEqual(steps);
  });

describe('attention is one step, without transposes', () => {
  for (const queries of [1, 2, 15, 16, 17, 48, 49, 100]) one({ queries, keys: 33 }, ['attention']);
  for (const keys of [1, 2, 127, 128, 129, 300]) one({ queries: 20, keys }, ['attention'], 2);
  for (const size of [1, 8, 15, 33, 80]) one({ queries: 19, keys: 21, size, vSize: 24 }, ['attention']);
  for (const kvHeads of [1, 2]) one({ queries: 10, keys: 130, kvHeads, batch: 2 }, ['attention'], 2);
  one({ queries: 10, keys: 12, scale: 'queries' }, ['unary', 'attention'].slice(1));
  one({ queries: 10, keys: 12, scale: 'both' }, ['attention']);
});

describe('masks', () => {
  for (const mask of [
    [50, 140],
    [1, 1, 50, 140],
    [2, 1, 1, 140],
    [2, 4, 50, 140],
    [4, 50, 1],
    [140],
    [2, 4, 1, 1],
  ]) {
    for (const values of ['any', 'hidden'] as const)
      one({ batch: 2, queries: 50, keys: 140, mask, values }, ['attention'], 2);
  }
});

describe('causal masks that are known', () => {
  const causal = (past: number, hidden: number, wrong = -1) => {
    const m = new Model();
    const [queries, keys] = [20, 20 + past];
    const q = m.input('float32', [2, 3, queries, 8]);
    const [k, v] = [m.input('float32', [2, 3, keys, 8]), m.input('float32', [2, 3, keys, 8])];
    const mask = m.constant('float32', [1, 1, queries, keys], (i) =>
      (i % keys) - past > Math.floor(i / keys) || i === wrong ? hidden : 0,
    );
    const product = m.node('MatMul', [q, m.node('Transpose', [k], { perm: [0, 1, 3, 2] })]);
    return m.output(m.node('MatMul', [m.node('Softmax', [m.node('Add', [product, mask])]), v]));
  };
  const attentionOf = (m: Model) => {
    const store = { constant: () => 0, pack: () => 0, choose: () => expect.fail('no layers here') };
    const [step] = compile(m.graph(), new Map(), store).spec.steps;
    return { inputs: step?.inputs.length, causal: step?.ints['causal'], past: step?.ints['past'] };
  };

  test.each([
    [0, -Infinity],
    [7, -3.4028234663852886e38],
    [130, -1e9],
  ])('become numbers of the step, with %i keys before and %d for what is hidden', async (past, hidden) => {
    expect(attentionOf(causal(past, hidden))).toEqual({ inputs: 3, causal: 1, past });
    expect(await stepsThatAgree(causal(past, hidden), { session: { threads: 2 } })).toEqual(['attention']);
  });

  test('stay masks where they hide little, or something else', () => {
    for (const m of [causal(2, -10), causal(2, -Infinity, 5 * 22)])
      expect(attentionOf(m)).toEqual({ inputs: 4, causal: 0, past: 0 });
  });
});

test('queries, keys and values of one product, split', async () => {
  const m = new Model();
  const [tokens, heads, size] = [21, 3, 16];
  const packed = m.node('Reshape', [
    m.input('float32', [1, tokens, 3 * heads * size]),
    m.list([1, tokens, 3, heads, size]),
  ]);
  const parts = m.nodes(
    'Split',
    [m.node('Transpose', [packed], { perm: [2, 0, 3, 1, 4] }), m.list([1, 1, 1])],
    3,
    { axis: 0 },
  );
  const [q = '', k = '', v = ''] = parts.map((part) => m.node('Squeeze', [part, m.list([0])]));
  const kT = m.node('Transpose', [k], { perm: [0, 1, 3, 2] });
  const weights = m.node('Softmax', [m.node('MatMul', [q, kT])]);
  m.output(m.node('MatMul', [weights, v]));
  expect(await stepsThatAgree(m)).toEqual(['attention']);
});

test('heads that are part of the batch, keys with a past, infinite masks', async () => {
  const m = new Model();
  const q = m.input('float32', [6, 5, 8]);
  const k = m.node('Concat', [m.input('float32', [6, 7, 8]), m.input('float32', [6, 5, 8])], { axis: 1 });
  const v = m.node('Concat', [m.input('float32', [6, 7, 8]), m.input('float32', [6, 5, 8])], { axis: 1 });
  const mask = m.constant('float32', [5, 12], (i) =>
    i % 12 > 7 + Math.floor(i / 12) ? Number.NEGATIVE_INFINITY : 0,
  );
  const scores = m.node('Add', [m.node('MatMul', [q, m.node('Transpose', [k], { perm: [0, 2, 1] })]), mask]);
  m.output(m.node('MatMul', [m.node('Softmax', [scores]), v]), k);
  expect((await stepsThatAgree(m)).filter((op) => op !== 'copy')).toEqual(['attention']);
});

describe('what is not attention stays', () => {
  const plain = (m: Model, axis: number, isRead: boolean) => {
    const scores = m.node('MatMul', [m.input('float32', [2, 4, 8]), m.input('float32', [2, 8, 4])]);
    const weights = m.node('Softmax', [scores], { axis });
    m.output(m.node('MatMul', [weights, m.input('float32', [2, 4, 8])]), ...(isRead ? [weights] : []));
  };
  test.each([
    ['over another axis', 1, false],
    ['whose weights are an output', -1, true],
  ])('%s', async (_, axis, isRead) => {
    const m = new Model();
    plain(m, axis, isRead);
    expect(await stepsThatAgree(m)).toEqual(['batch_matmul', 'softmax', 'batch_matmul']);
  });
});

test.each([
  ['vit packed', 2],
  ['vit', 2],
  ['llama', 2],
])('a %s has an attention for each block, and no softmax', async (name, blocks) => {
  const graph = smallNetworks[name]?.() ?? expect.fail(`no network ${name}`);
  const session = await InferenceSession.create(exportOnnx(graph), { threads: 1 });
  const steps = session.profile(feedsOf(graph)).map(({ op }) => op);
  session.release();
  expect(steps.filter((op) => op === 'attention')).toHaveLength(blocks);
  expect(steps).not.toContain('softmax');
  expect(steps).not.toContain('batch_matmul');
});
