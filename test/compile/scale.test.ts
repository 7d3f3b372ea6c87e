import { describe, expect, test } from 'vitest';
import { fuse } from '../../src/compile/fuse.js';
import { specialize } from '../../src/graph/index.js';
import { Model } from '../operators/support.js';
import { stepsThatAgree } from './support.js';

const product = (m: Model) => m.node('MatMul', [m.input('float32', [3, 8]), m.constant('float32', [8, 6])]);

/** Scales that join the product, and what the one step then does. */
const scaled: Record<string, readonly [build: (m: Model) => string, fused: object]> = {
  'one number': [(m) => m.node('Mul', [product(m), m.scalar(0.25)]), { scale: 0.25 }],
  'one for each output': [
    (m) => m.node('Mul', [m.constant('float32', [6]), product(m)]),
    { scale: 'constant0' },
  ],
  'with bias, residual and activation behind it': [
    (m) => {
      const y = m.node('Mul', [product(m), m.scalar(-2)]);
      const sum = m.node('Add', [m.node('Add', [y, m.constant('float32', [6])]), m.input('float32', [3, 6])]);
      return m.node('Gelu', [sum]);
    },
    { scale: -2, bias: 'constant2', residual: 'input1', activation: { op: 'geluErf' } },
  ],
  'of a Gemm': [
    (m) => {
      const gemm = m.node('Gemm', [m.input('float32', [3, 8]), m.constant('float32', [6, 8])], { transB: 1 });
      return m.node('Div', [gemm, m.scalar(4)]);
    },
    { scale: 0.25 },
  ],
};

function fusedNodes(m: Model) {
  const dims = new Map(Object.entries(m.feeds).map(([name, feed]) => [name, feed.dims]));
  return fuse(specialize(m.graph(), dims)).nodes;
}

describe('a scale behind a constant product', () => {
  test.each(Object.entries(scaled))('%s: joins it', (_name, [build, expected]) => {
    const m = new Model(22);
    m.output(build(m));
    const nodes = fusedNodes(m);
    expect(nodes).toHaveLength(1);
    expect(nodes[0]).toMatchObject(expected);
  });

  test('does not join where a bias or an activation comes first, or the product is read twice', () => {
    for (const build of [
      (m: Model) => [
        m.node('Mul', [m.node('Add', [product(m), m.constant('float32', [6])]), m.constant('float32', [6])]),
      ],
      (m: Model) => [m.node('Mul', [m.node('Relu', [product(m)]), m.constant('float32', [6])])],
      (m: Model) => {
        const y = product(m);
        return [y, m.node('Mul', [y, m.constant('float32', [6])])];
      },
      (m: Model) => {
        const inputs = [
          m.input('float32', [3, 8]),
          m.constant('float32', [8, 6]),
          m.constant('float32', [6]),
        ];
        return [m.node('Mul', [m.node('Gemm', inputs), m.constant('float32', [6])])];
      },
      (m: Model) => [m.node('Mul', [product(m), m.constant('float32', [3, 1])])],
      (m: Model) => [m.node('Mul', [product(m), m.constant('float32', [1, 3, 6])])],
    ]) {
      const m = new Model(22);
      m.output(...build(m));
      for (const node of fusedNodes(m)) expect(node).not.toHaveProperty('scale');
    }
  });

  for (const [name, [build]] of Object.entries(scaled)) {
    test(`${name}: runs as one step`, async () => {
      const m = new Model(22);
      m.output(build(m));
      expect(await stepsThatAgree(m)).toEqual(['matmul']);
    });
  }
});
