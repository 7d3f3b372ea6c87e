import { describe } from 'vitest';
import { agreeOnAll, agreeOnRandom, subsets } from './support.js';

const widths = [1, 2, 15, 16, 17, 48, 49, 197];

describe('Gemm', () => {
  agreeOnAll(
    'every form',
    [0, 1].flatMap((transA) =>
      [0, 1].flatMap((transB) =>
        [undefined, 0.5].flatMap((alpha) =>
          [undefined, 0, -1.5].flatMap((beta) =>
            (['none', 'scalar', 'one', 'row', 'wideRow', 'column', 'full'] as const).flatMap((addend) =>
              (['constant', 'input'] as const).map((second) => ({
                transA,
                transB,
                alpha,
                beta,
                addend,
                second,
              })),
            ),
          ),
        ),
      ),
    ),
    (m, { transA, transB, alpha, beta, addend, second }) => {
      const [rows, depth, columns] = [m.int(1, 20), m.int(1, 20), m.int(1, 40)];
      const a = m.input('float32', transA ? [depth, rows] : [rows, depth]);
      const b = m[second]('float32', transB ? [columns, depth] : [depth, columns]);
      const dims = {
        none: undefined,
        scalar: [],
        one: [1],
        row: [columns],
        wideRow: [1, columns],
        column: [rows, 1],
        full: [rows, columns],
      }[addend];
      const c = dims === undefined ? [] : [m.pick([m.constant.bind(m), m.input.bind(m)])('float32', dims)];
      m.output(m.node('Gemm', [a, b, ...c], { transA, transB, alpha, beta }));
      return { rows, depth, columns };
    },
  );

  agreeOnAll(
    'rows and columns around the tile sizes',
    widths.flatMap((rows) => widths.map((columns) => [rows, columns] as const)),
    (m, [rows, columns]) => {
      const depth = m.int(1, 70);
      const a = m.input('float32', [rows, depth]);
      const c = m.constant('float32', [columns]);
      m.output(m.node('Gemm', [a, m.constant('float32', [columns, depth]), c], { transB: 1 }));
      m.output(m.node('Gemm', [a, m.input('float32', [depth, columns]), c]));
      return depth;
    },
  );

  agreeOnAll('square, where rows and columns look alike', [[5, 1], [5], [1, 5]], (m, dims) => {
    const a = m.input('float32', [5, 5]);
    m.output(m.node('Gemm', [a, m.constant('float32', [5, 5]), m.constant('float32', dims)]));
  });

  agreeOnAll(
    'opset 7',
    [7, 9],
    (m) => {
      const a = m.input('float32', [3, 4]);
      m.output(m.node('Gemm', [a, m.constant('float32', [4, 6]), m.constant('float32', [6])], { alpha: 2 }));
    },
    { opset: 7 },
  );
});

describe('MatMul', () => {
  agreeOnAll(
    'rows and columns around the tile sizes',
    widths.flatMap((rows) => widths.map((columns) => [rows, columns] as const)),
    (m, [rows, columns]) => {
      const depth = m.int(1, 70);
      const a = m.input('float32', [rows, depth]);
      m.output(m.node('MatMul', [a, m.constant('float32', [depth, columns])]));
      m.output(m.node('MatMul', [a, m.input('float32', [depth, columns])]));
      return depth;
    },
  );

  const shapes = [
    [[7], [7]],
    [[7], [7, 3]],
    [[3, 7], [7]],
    [[1], [1]],
    [[2, 3, 7], [7]],
    [[7], [2, 7, 3]],
    [
      [2, 3, 7],
      [7, 5],
    ],
    [
      [3, 7],
      [2, 7, 5],
    ],
    [
      [2, 3, 7],
      [2, 7, 5],
    ],
    [
      [1, 3, 7],
      [4, 7, 5],
    ],
    [
      [4, 3, 7],
      [1, 7, 5],
    ],
    [
      [2, 1, 3, 7],
      [4, 7, 5],
    ],
    [
      [2, 4, 3, 7],
      [4, 7, 5],
    ],
    [
      [2, 4, 3, 7],
      [2, 1, 7, 5],
    ],
    [
      [1, 4, 1, 7],
      [2, 1, 7, 1],
    ],
    [
      [3, 1, 2, 1, 4],
      [2, 4, 3],
    ],
  ] as const;
  agreeOnAll(
    'one to five axes, broadcast, each operand constant or not',
    shapes.flatMap(([a, b]) =>
      (['constant', 'input'] as const).flatMap((first) =>
        (['constant', 'input'] as const).map((second) => ({ a, b, first, second })),
      ),
    ),
    (m, { a, b, first, second }) => {
      const product = m.node('MatMul', [m[first]('float32', a), m[second]('float32', b)]);
      m.output(product);
    },
  );

  agreeOnRandom('random batches', 60, (m) => {
    const batch = [m.int(1, 4), m.int(1, 3)];
    const drop = (dims: number[]) => m.pick([dims, dims.slice(1), [], dims.map((dim) => m.pick([dim, 1]))]);
    const [a, b] = [drop(batch), drop(batch)];
    const [rows, depth, columns] = [m.int(1, 35), m.int(1, 35), m.int(1, 35)];
    const left = m.input('float32', [...a, rows, depth]);
    m.output(
      m.node('MatMul', [
        left,
        m.pick([m.input.bind(m), m.constant.bind(m)])('float32', [...b, depth, columns]),
      ]),
    );
    return { a, b, rows, depth, columns };
  });

  agreeOnAll('a depth larger than the panels', [1, 3], (m, rows) => {
    const a = m.input('float32', [rows, 3000]);
    m.output(
      m.node('MatMul', [a, m.constant('float32', [3000, 20])]),
      m.node('MatMul', [a, m.input('float32', [3000, 20])]),
    );
  });
});

describe('threads', () => {
  for (const threads of [2, 3]) {
    agreeOnAll(
      `products on ${threads} threads`,
      widths.flatMap((rows) => subsets(['constant']).map((parts) => ({ rows, constant: parts.length > 0 }))),
      (m, { rows, constant }) => {
        const a = m.input('float32', [2, rows, 37]);
        const b = constant ? m.constant('float32', [37, 51]) : m.input('float32', [37, 51]);
        m.output(m.node('MatMul', [a, b]));
      },
      { session: { threads } },
    );
  }
});
