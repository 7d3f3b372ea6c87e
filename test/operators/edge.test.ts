import { describe, expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession } from '../../src/index.js';
import { agreeOnAll, expectAgreement, Model } from './support.js';

const exact = { tolerance: 0 };

describe('outputs', () => {
  test('that are inputs, constants, the same value twice, and views of each other', async () => {
    const m = new Model();
    const x = m.input('float32', [2, 3]);
    const c = m.constant('int64', [4]);
    const relu = m.node('Relu', [x]);
    const flat = m.node('Reshape', [relu, m.list([6])]);
    const again = m.node('Identity', [relu]);
    m.output(
      m.node('Identity', [x]),
      m.node('Identity', [c]),
      relu,
      flat,
      again,
      m.node('Reshape', [x, m.list([3, 2])]),
    );
    m.output(m.node('Reshape', [c, m.list([2, 2])]));
    await expectAgreement(m, exact);
  });

  test('an input and a constant by their own names', async () => {
    const m = new Model();
    const [x, c] = [m.input('float32', [3]), m.constant('float32', [2])];
    m.output(x, c, m.node('Neg', [x]));
    await expectAgreement(m, exact);
  });

  test('the same name twice', async () => {
    const m = new Model();
    const y = m.node('Neg', [m.input('float32', [3], [1, 2, 3])]);
    m.output(y, y);
    const session = await InferenceSession.create(exportOnnx(m.graph()));
    expect(session.runSync(m.feeds)[y]?.data).toEqual(new Float32Array([-1, -2, -3]));
    session.release();
  });

  test('an intermediate value that later steps read as well', async () => {
    const m = new Model();
    const x = m.input('float32', [1, 4, 5, 5]);
    const conv = m.node('Conv', [x, m.constant('float32', [4, 4, 3, 3])], { pads: [1, 1, 1, 1] });
    const relu = m.node('Relu', [conv]);
    m.output(conv, relu, m.node('Add', [relu, conv]));
    await expectAgreement(m);
  });

  test('that no input reaches', async () => {
    const m = new Model();
    m.input('float32', [2]);
    m.output(m.node('Add', [m.constant('float32', [3]), m.scalar(1)]));
    await expectAgreement(m);
  });

  test('of a model without inputs', async () => {
    const m = new Model();
    m.output(m.node('Relu', [m.constant('float32', [3])]));
    await expectAgreement(m);
  });
});

describe('scalars (rank 0)', () => {
  agreeOnAll('elementwise', ['Relu', 'Sigmoid', 'Neg', 'Identity', 'Round'], (m, op) => {
    m.output(m.node(op, [m.input('float32', [])]));
  });
  agreeOnAll('two operands', ['Add', 'Mul', 'Less', 'Max', 'Pow'], (m, op) => {
    m.output(m.node(op, [m.input('float32', [], [3]), m.input('float32', [], [2])]));
    m.output(m.node(op, [m.input('float32', [], [3]), m.input('float32', [1], [2])]));
  });
  agreeOnAll(
    'movement',
    ['int64', 'float32'] as const,
    (m, type) => {
      const x = m.input(type, []);
      m.output(
        m.node('Unsqueeze', [x, m.list([0])]),
        m.node('Reshape', [x, m.list([1, 1])]),
        m.node('Transpose', [x]),
      );
      m.output(m.node('Expand', [x, m.list([2, 3])]), m.cast(x, 'int32'));
      m.output(
        m.node('Where', [m.input('bool', []), x, m.input(type, [])]),
        m.node('Squeeze', [m.input(type, [1])]),
      );
    },
    exact,
  );
});

describe('dims of zero', () => {
  const empty = [[0], [0, 3], [3, 0], [2, 0, 3]];
  agreeOnAll('elementwise', empty, (m, dims) => {
    const x = m.input('float32', dims);
    m.output(
      m.node('Relu', [x]),
      m.node('Add', [x, m.scalar(2)]),
      m.node('Mul', [x, x]),
      m.node('Less', [x, m.scalar(0)]),
    );
    m.output(m.node('Where', [m.input('bool', []), x, m.scalar(1)]), m.cast(x, 'int32'));
  });
  agreeOnAll(
    'movement',
    empty,
    (m, dims) => {
      const x = m.input('int64', dims);
      m.output(
        m.node('Transpose', [x]),
        m.node('Concat', [x, x], { axis: 0 }),
        m.node('Tile', [x, m.list(dims.map(() => 2))]),
      );
      m.output(
        m.node('Pad', [x, m.list([...dims, ...dims].map(() => 1))]),
        m.node('Flatten', [x], { axis: 0 }),
      );
      m.output(m.node('Slice', [x, m.list([0]), m.list([9]), m.list([0])]), m.node('Identity', [x]));
    },
    exact,
  );
  agreeOnAll('sums over every axis and over the empty one', empty, (m, dims) => {
    const x = m.input('float32', dims);
    m.output(m.node('ReduceSum', [x]), m.node('ReduceSum', [x, m.list([dims.indexOf(0)])]));
    m.output(m.node('ReduceSum', [x, m.list([...new Set([0, dims.length - 1])])], { keepdims: 0 }));
  });
  agreeOnAll(
    'products',
    [
      [0, 4, 5],
      [3, 4, 0],
      [0, 4, 0],
    ],
    (m, [rows = 0, depth = 0, columns = 0]) => {
      const a = m.input('float32', [rows, depth]);
      m.output(m.node('MatMul', [a, m.input('float32', [depth, columns])]));
      m.output(m.node('MatMul', [a, m.constant('float32', [depth, columns])]));
      m.output(
        m.node('Gemm', [a, m.constant('float32', [depth, columns]), m.constant('float32', [columns])]),
      );
      m.output(m.node('Softmax', [a]));
    },
  );
  agreeOnAll('products over nothing are zero', [[3, 5]], (m, [rows = 0, columns = 0]) => {
    m.output(m.node('MatMul', [m.input('float32', [rows, 0]), m.input('float32', [0, columns])]));
    m.output(m.node('MatMul', [m.input('float32', [rows, 0]), m.constant('float32', [0, columns])]));
  });
  agreeOnAll('a batch of none', [1, 3], (m, group) => {
    const x = m.input('float32', [0, 3, 5, 5]);
    const conv = m.node('Conv', [x, m.constant('float32', [6, 3 / group, 3, 3])], { group });
    m.output(
      m.node('Relu', [conv]),
      m.node('MaxPool', [x], { kernel_shape: [2, 2] }),
      m.node('GlobalAveragePool', [x]),
    );
  });
});

describe('chains of one-step operators', () => {
  agreeOnAll('that keep few values alive', [50], (m, length) => {
    let x = m.input('float32', [3, 17]);
    for (let i = 0; i < length; i++) x = m.node(m.pick(['Abs', 'Neg', 'Tanh', 'Sigmoid']), [x]);
    m.output(x);
  });
});
