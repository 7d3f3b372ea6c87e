import { describe } from 'vitest';
import { agreeOnAll, agreeOnRandom, type Model, subsets } from './support.js';

const reductions = ['Sum', 'Mean', 'Max', 'Min', 'Prod', 'SumSquare', 'L1', 'L2'].map(
  (name) => `Reduce${name}`,
);
const sizes = (m: Model, count: number, low: number, high: number) =>
  Array.from({ length: count }, () => m.int(low, high));

describe('reductions', () => {
  for (const op of reductions) {
    agreeOnAll(
      `${op} over every set of axes`,
      [[3, 4, 5, 2], [17, 1, 6], [33], [1, 1], []].flatMap((dims) =>
        subsets([...dims.keys()]).flatMap((axes) => [0, 1].map((keepdims) => ({ dims, axes, keepdims }))),
      ),
      (m, { dims, axes, keepdims }) => {
        const x = m.input('float32', dims);
        const named = axes.map((axis) => m.pick([axis, axis - dims.length]));
        m.output(m.node(op, axes.length > 0 ? [x, m.list(named)] : [x], { keepdims }));
      },
    );
  }

  agreeOnAll(
    'axes as attributes, before opset 13 and 18',
    reductions,
    (m, op) => {
      m.output(m.node(op, [m.input('float32', [3, 4, 5])], { axes: [0, 2], keepdims: 0 }));
    },
    { opset: 11 },
  );

  agreeOnAll('no axes, and noop_with_empty_axes', reductions, (m, op) => {
    const x = m.input('float32', [3, 4]);
    m.output(
      m.node(op, [x], { noop_with_empty_axes: 1 }),
      m.node(op, [x, m.list([])], { noop_with_empty_axes: 0 }),
    );
  });

  agreeOnAll(
    'long sums, on several threads',
    [
      [2, 5000],
      [5000, 3],
      [3, 700, 5],
    ],
    (m, dims) => {
      for (const axes of subsets([...dims.keys()]))
        m.output(m.node('ReduceSum', [m.input('float32', dims, m.random), m.list(axes)]));
    },
    { session: { threads: 3 } },
  );
});

describe('Softmax and LogSoftmax', () => {
  for (const op of ['Softmax', 'LogSoftmax']) {
    agreeOnAll(
      `${op} along each axis`,
      [[7], [3, 17], [2, 3, 4], [1, 5, 1, 33], [2, 16, 3, 4]].flatMap((dims) =>
        [...dims.keys()].flatMap((axis) =>
          [axis, axis - dims.length].map((named) => ({ dims, axis: named })),
        ),
      ),
      (m, { dims, axis }) => {
        m.output(m.node(op, [m.input('float32', dims, () => m.random() * 20 - 10)], { axis }));
      },
    );

    agreeOnAll(
      `${op} of values far apart`,
      [
        [0, 100],
        [1000, -1000, 999],
        [0, -200, -90],
        [1e30, 1e30],
        [88, 89, -104],
      ],
      (m, values) => {
        m.output(m.node(op, [m.input('float32', [values.length], values)]));
        m.output(
          m.node(op, [m.input('float32', [values.length, 2], (i) => values[i >> 1] as number)], { axis: 0 }),
        );
      },
    );

    agreeOnAll(
      `${op} before opset 13 flattens`,
      [undefined, 0, 1, 2, -1],
      (m, axis) => {
        m.output(m.node(op, [m.input('float32', [2, 3, 4])], { axis }));
      },
      { opset: 11 },
    );
  }
});

describe('LayerNormalization', () => {
  agreeOnRandom(
    'any axis, scale and bias',
    80,
    (m) => {
      const dims = sizes(m, m.int(1, 4), 1, 18);
      const axis = m.int(0, dims.length - 1);
      const own = dims.slice(axis);
      const bias = m.int(0, 1) === 0 ? [] : [m.constant('float32', own)];
      const x = m.input('float32', dims);
      const epsilon = m.pick([undefined, 1e-3]);
      m.output(
        m.node('LayerNormalization', [x, m.input('float32', own), ...bias], {
          axis: m.pick([axis, axis - dims.length]),
          epsilon,
        }),
      );
      return { dims, axis };
    },
    { negligible: 1e-6 },
  );

  agreeOnAll(
    'a mean far from zero',
    [10, 100],
    (m, mean) => {
      const x = m.input('float32', [3, 64], () => mean + m.random());
      m.output(m.node('LayerNormalization', [x, m.constant('float32', [64])]));
    },
    { tolerance: 1e-4 },
  );

  agreeOnAll('a scale and a bias that broadcast', [[1], [5], [4, 1], [1, 5]], (m, dims) => {
    const x = m.input('float32', [3, 4, 5]);
    const bias = m.constant('float32', [5]);
    m.output(m.node('LayerNormalization', [x, m.constant('float32', dims), bias], { axis: 1 }));
  });
});

describe('BatchNormalization', () => {
  agreeOnAll(
    'by itself, opset 7 to 21',
    [7, 9, 14, 15, 21].flatMap((opset) =>
      [
        [2, 3],
        [2, 3, 4],
        [1, 3, 4, 5],
      ].map((dims) => ({ opset, dims })),
    ),
    (m, { dims }) => {
      const positive = () => 0.1 + m.random();
      const parameters = [undefined, undefined, undefined, positive].map((fill) =>
        m.constant('float32', [3], fill),
      );
      const normal = m.node('BatchNormalization', [m.input('float32', dims), ...parameters], {
        epsilon: 1e-3,
      });
      m.output(m.node('Relu', [normal]));
    },
    ({ opset }) => ({ opset }),
  );
});
