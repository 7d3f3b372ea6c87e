import { describe, expect, test } from 'vitest';
import { type FusedNode, fuse } from '../../src/compile/fuse.js';
import { lowRankProduct } from '../../src/compile/low_rank.js';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { readElements } from '../../src/graph/data.js';
import { type StaticGraph, specialize } from '../../src/graph/index.js';
import { Model, runOnnxruntime } from '../operators/support.js';
import { stepsThatAgree } from './support.js';

const [tokens, inputs, outputs, rank] = [5, 32, 40, 6];

/** The parts of x W + (x B) A. */
function parts(m: Model, { r = rank, dims = [tokens, inputs] } = {}) {
  const sparse = () => (m.random() < 0.8 ? 0 : m.random() - 0.5);
  return {
    x: m.input('float32', dims),
    w: m.constant('float32', [inputs, outputs], sparse),
    b: m.constant('float32', [inputs, r]),
    a: m.constant('float32', [r, outputs]),
    bias: m.constant('float32', [outputs]),
  };
}

/** Forms of the sum that become one node. */
const forms: Record<string, (m: Model) => string> = {
  plain: (m) => {
    const { x, w, a, b } = parts(m);
    return m.node('Add', [m.node('MatMul', [x, w]), m.node('MatMul', [m.node('MatMul', [x, b]), a])]);
  },
  'in the other order': (m) => {
    const { x, w, a, b } = parts(m);
    return m.node('Add', [m.node('MatMul', [m.node('MatMul', [x, b]), a]), m.node('MatMul', [x, w])]);
  },
  'with a bias behind the sparse product': (m) => {
    const { x, w, a, b, bias } = parts(m);
    const sparse = m.node('Add', [bias, m.node('MatMul', [x, w])]);
    return m.node('Add', [sparse, m.node('MatMul', [m.node('MatMul', [x, b]), a])]);
  },
  'with a bias behind the sum, and a factor': (m) => {
    const { x, w, a, b, bias } = parts(m);
    const low = m.node('Mul', [m.scalar(0.5), m.node('MatMul', [m.node('MatMul', [x, b]), a])]);
    return m.node('Add', [m.node('Add', [low, m.node('MatMul', [x, w])]), bias]);
  },
  'of several axes': (m) => {
    const { x, w, a, b, bias } = parts(m, { dims: [2, 3, inputs] });
    const low = m.node('Add', [m.node('MatMul', [m.node('MatMul', [x, b]), a]), bias]);
    return m.node('Add', [m.node('MatMul', [x, w]), low]);
  },
  'as Gemms with transposed weights': (m) => {
    const x = m.input('float32', [tokens, inputs]);
    const w = m.constant('float32', [outputs, inputs], () => (m.random() < 0.8 ? 0 : 1));
    const [b, a] = [m.constant('float32', [rank, inputs]), m.constant('float32', [outputs, rank])];
    const sparse = m.node('Gemm', [x, w, m.constant('float32', [outputs])], { transB: 1 });
    const low = m.node('Gemm', [m.node('Gemm', [x, b], { transB: 1 }), a], { transB: 1 });
    return m.node('Add', [sparse, low]);
  },
};

/** Forms that stay several nodes. */
const others: Record<string, (m: Model) => string[]> = {
  'a rank of more than a quarter': (m) => {
    const { x, w, a, b } = parts(m, { r: 9 });
    return [m.node('Add', [m.node('MatMul', [x, w]), m.node('MatMul', [m.node('MatMul', [x, b]), a])])];
  },
  'different inputs': (m) => {
    const { x, w, a, b } = parts(m);
    const other = m.input('float32', [tokens, inputs]);
    return [m.node('Add', [m.node('MatMul', [x, w]), m.node('MatMul', [m.node('MatMul', [other, b]), a])])];
  },
  'an inner value that is read twice': (m) => {
    const { x, w, a, b } = parts(m);
    const inner = m.node('MatMul', [x, b]);
    return [m.node('Add', [m.node('MatMul', [x, w]), m.node('MatMul', [inner, a])]), inner];
  },
  'an activation between the factors': (m) => {
    const { x, w, a, b } = parts(m);
    const inner = m.node('Relu', [m.node('MatMul', [x, b])]);
    return [m.node('Add', [m.node('MatMul', [x, w]), m.node('MatMul', [inner, a])])];
  },
  'two biases': (m) => {
    const { x, w, a, b, bias } = parts(m);
    const low = m.node('Add', [m.node('MatMul', [m.node('MatMul', [x, b]), a]), bias]);
    return [m.node('Add', [m.node('Add', [m.node('MatMul', [x, w]), bias]), low])];
  },
  'Gemms with alpha': (m) => {
    const { x, w, a, b } = parts(m);
    const sparse = m.node('Gemm', [x, w], { alpha: 0.5 });
    return [m.node('Add', [sparse, m.node('MatMul', [m.node('MatMul', [x, b]), a])])];
  },
};

function fused(m: Model): { graph: StaticGraph; nodes: FusedNode[] } {
  const dims = new Map(Object.entries(m.feeds).map(([name, feed]) => [name, feed.dims]));
  return fuse(specialize(m.graph(), dims));
}

/** What the node says it computes, in double precision. */
function compute({ graph, node }: { graph: StaticGraph; node: FusedNode }, x: Float32Array): number[] {
  const numbers = (name: string) => readElements(graph.constants.get(name) ?? fail(name)) as Float32Array;
  const [, weight = '', ownBias = '', factor = ''] = node.node.inputs;
  const [stacked, b] = [numbers(weight), numbers(factor)];
  const transposed = node.node.attributes.get('transB')?.value === 1n;
  const r = b.length / inputs;
  const biasName = node.bias ?? ownBias;
  const bias = biasName === '' ? undefined : numbers(biasName);
  return Array.from({ length: (x.length / inputs) * outputs }, (_, i) => {
    const [row, output] = [Math.floor(i / outputs), i % outputs];
    const token = Array.from(x.subarray(row * inputs, (row + 1) * inputs));
    const low = Array.from({ length: r }, (_, j) =>
      token.reduce((sum, v, k) => sum + v * (b[transposed ? j * inputs + k : k * r + j] as number), 0),
    );
    const all = [...token, ...low];
    const sum = all.reduce((total, v, k) => total + v * (stacked[k * outputs + output] as number), 0);
    return sum + (bias?.[output] ?? 0);
  });
}

function fail(name: string): never {
  throw new Error(`no constant ${name}`);
}

describe('a sparse product and one of low rank', () => {
  test.each(Object.entries(forms))('%s: become one node that computes the same', async (_name, build) => {
    const m = new Model(22, 3);
    m.output(build(m));
    const { graph, nodes } = fused(m);
    expect(nodes.map(({ node }) => node.op)).toEqual([lowRankProduct]);
    const [expected] = Object.values(await runOnnxruntime(exportOnnx(m.graph()), m.feeds));
    const [x] = Object.values(m.feeds);
    const actual = compute({ graph, node: nodes[0] as FusedNode }, x?.data as Float32Array);
    const wanted = Array.from(expected?.data as Float32Array);
    const largest = Math.max(...wanted.map(Math.abs));
    const error = Math.max(...wanted.map((value, i) => Math.abs(value - (actual[i] as number)))) / largest;
    expect(actual).toHaveLength(wanted.length);
    expect(error).toBeLessThan(1e-5);
  });

  test.each(Object.entries(others))('%s: stay apart', async (_name, build) => {
    const m = new Model(22, 3);
    m.output(...build(m));
    expect(fused(m).nodes.map(({ node }) => node.op)).not.toContain(lowRankProduct);
    await stepsThatAgree(m);
  });

  test('take residual and activation as other products do', () => {
    const m = new Model(22, 3);
    const sum = forms['plain']?.(m) ?? '';
    const residual = m.input('float32', [tokens, outputs]);
    m.output(m.node('Relu', [m.node('Add', [residual, sum])]));
    const { nodes } = fused(m);
    expect(nodes).toHaveLength(1);
    expect(nodes[0]).toMatchObject({ residual: 'input1', activation: { op: 'relu' } });
  });

  test('plans for other shapes share the stacked weight', () => {
    const m = new Model(22, 3);
    m.output(forms['plain']?.(m) ?? '');
    const stacked = [fused(m), fused(m)].map(({ graph, nodes }) =>
      graph.constants.get(nodes[0]?.node.inputs[1] ?? ''),
    );
    expect(stacked[0]).toBeDefined();
    expect(stacked[0]?.bytes).toBe(stacked[1]?.bytes);
  });

  for (const [name, build] of Object.entries(forms)) {
    for (const threads of [1, 2]) {
      test(`${name}: run as one step, ${threads} threads`, async () => {
        const m = new Model(22, 3);
        const sum = build(m);
        m.output(m.node('Tanh', [sum]));
        expect(await stepsThatAgree(m, { session: { threads } })).toEqual(['matmul']);
      });
    }
  }
});
