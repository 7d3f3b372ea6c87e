import { describe } from 'vitest';
import type { DataType } from '../../src/tensor.js';
import { agreeOnAll, agreeOnRandom, type Model } from './support.js';

/** Two shapes that broadcast to each other. */
function broadcastPair(m: Model): [number[], number[]] {
  const dims = Array.from({ length: m.int(0, 4) }, () => m.int(1, 6));
  const part = () => {
    const kept = dims.map((dim) => (m.int(0, 2) === 0 ? 1 : dim));
    return kept.slice(m.int(0, 1) * m.int(0, kept.length));
  };
  return [part(), part()];
}

const source = (m: Model) => m.pick([m.input.bind(m), m.input.bind(m), m.constant.bind(m)]);
const numeric = ['float32', 'int32', 'int64'] as const;

describe('two operands', () => {
  for (const op of ['Add', 'Sub', 'Mul', 'Min', 'Max']) {
    agreeOnRandom(
      op,
      60,
      (m) => {
        const type = m.pick(numeric);
        const [a, b] = broadcastPair(m);
        m.output(m.node(op, [m.input(type, a), source(m)(type, b)]));
        return { type, a, b };
      },
      { tolerance: 0 },
    );
  }

  agreeOnRandom('the constant on the left', 40, (m) => {
    const type = m.pick(numeric);
    const [a, b] = broadcastPair(m);
    const op = m.pick(['Add', 'Sub', 'Mul', 'Min', 'Max']);
    m.output(m.node(op, [m.constant(type, a), m.input(type, b)]));
    return { op, type, a, b };
  });

  agreeOnRandom('Div', 60, (m) => {
    const type = m.pick(numeric);
    const [a, b] = broadcastPair(m);
    // Integer division by zero is a signal in onnxruntime.
    const divisor = (i: number) => (i % 2 === 0 ? i + 1 : -(i + 1.5)) | 0;
    m.output(m.node('Div', [m.input(type, a), source(m)(type, b, divisor)]));
    return { type, a, b };
  });

  agreeOnRandom('Div of floats by anything', 20, (m) => {
    const a = m.input('float32', [7], [0, 1, -1, 5, Infinity, NaN, -0]);
    m.output(m.node('Div', [a, m.constant('float32', [], [m.pick([0, -0, 3, Infinity, 1e38, 3e38])])]));
  });

  agreeOnRandom('Pow', 60, (m) => {
    const [a, b] = broadcastPair(m);
    const exponent = m.pick([() => 2, () => 3, () => 0.5, () => -1, () => 0, () => 1, undefined]);
    const base = m.input('float32', a, (i) => (exponent === undefined ? 0.1 + (i % 7) : (i % 7) - 3));
    m.output(m.node('Pow', [base, source(m)('float32', b, exponent)]));
    return { a, b, exponent: exponent?.() };
  });

  agreeOnRandom('Pow of integers', 5, (m) => {
    const type = m.pick(['int32', 'int64'] as const);
    const base = m.input(type, [5], (i) => i - 2);
    m.output(m.node('Pow', [base, m.input(type, [5], (i) => i)]));
  });

  agreeOnRandom('PRelu', 40, (m) => {
    const dims = Array.from({ length: m.int(1, 4) }, () => m.int(1, 5));
    const slope = dims.map((dim) => m.pick([1, dim])).slice(m.int(0, 1));
    m.output(m.node('PRelu', [m.input('float32', dims), m.constant('float32', slope)]));
    return { dims, slope };
  });

  agreeOnRandom('Min, Max and Sum of one to four operands', 40, (m) => {
    const op = m.pick(['Min', 'Max', 'Sum']);
    const count = m.int(1, 4);
    const operands = Array.from({ length: count }, () =>
      m.input('float32', m.pick([[3, 4], [4], [1, 4], [3, 1], []])),
    );
    m.output(m.node(op, operands));
    return { op, count };
  });

  agreeOnAll('Min and Max of NaN and infinities', ['Min', 'Max'], (m, op) => {
    const values = [NaN, 1, NaN, Infinity, -Infinity, NaN, 0, 5, -1];
    const others = [1, NaN, NaN, NaN, NaN, Infinity, -0, Infinity, -Infinity];
    const many = (list: number[]) => m.input('float32', [45], (i) => list[i % 9] as number);
    m.output(m.node(op, [many(values), many(others)]));
    // The same through a broadcast operand, on either side.
    m.output(m.node(op, [many(values), m.scalar(2)]), m.node(op, [m.scalar(-2), many(values)]));
  });

  agreeOnAll('integers wrap', ['Add', 'Sub', 'Mul'], (m, op) => {
    const extremes = [2147483647, -2147483648, -1, 65537];
    m.output(m.node(op, [m.input('int32', [4], extremes), m.input('int32', [4], extremes.toReversed())]));
    const wide = [2n ** 63n - 1n, -(2n ** 63n), -1n, 2n ** 33n];
    m.output(m.node(op, [m.input('int64', [4], wide), m.input('int64', [4], wide.toReversed())]));
  });
});

describe('comparisons and logic', () => {
  for (const op of ['Equal', 'Less', 'Greater', 'LessOrEqual', 'GreaterOrEqual']) {
    agreeOnRandom(op, 40, (m) => {
      const type = m.pick(numeric);
      const [a, b] = broadcastPair(m);
      const fill = (i: number) => (i * 7) % 5;
      m.output(m.node(op, [m.input(type, a, fill), source(m)(type, b, fill)]));
      return { type, a, b };
    });
  }

  agreeOnAll(
    'of NaN, infinities and zeros',
    ['Equal', 'Less', 'Greater', 'LessOrEqual', 'GreaterOrEqual'],
    (m, op) => {
      const values = [NaN, Infinity, -Infinity, 0, -0, 1];
      const a = m.input('float32', [6, 1], values);
      m.output(m.node(op, [a, m.input('float32', [6], values)]));
    },
  );

  agreeOnRandom('And, Or, Xor, Not', 40, (m) => {
    const [a, b] = broadcastPair(m);
    const op = m.pick(['And', 'Or', 'Xor']);
    m.output(m.node('Not', [m.node(op, [m.input('bool', a), source(m)('bool', b)])]));
    return { op, a, b };
  });

  agreeOnAll('64-bit integers compare exactly', ['Equal', 'Less', 'Greater'], (m, op) => {
    const a = m.input('int64', [3], [2n ** 53n, 2n ** 53n + 1n, -(2n ** 62n)]);
    m.output(m.node(op, [a, m.input('int64', [3], [2n ** 53n + 1n, 2n ** 53n, -(2n ** 62n) + 1n])]));
  });

  agreeOnRandom('Where', 80, (m) => {
    const type = m.pick(['float32', 'int32', 'int64', 'uint8', 'float64'] as const);
    const [a, b] = broadcastPair(m);
    const condition = m.pick([a, b, [], [1]]);
    m.output(m.node('Where', [source(m)('bool', condition), m.input(type, a), source(m)(type, b)]));
    return { type, a, b, condition };
  });
});

describe('Cast', () => {
  const types: DataType[] = ['float32', 'float64', 'int8', 'uint8', 'int32', 'int64', 'bool'];
  agreeOnAll(
    'between all types with kernels',
    types.flatMap((from) => types.map((to) => [from, to] as const)),
    (m, [from, to]) => {
      const fill = from.startsWith('float') ? (i: number) => (i % 3) * 1.75 : undefined;
      m.output(m.cast(m.input(from, [3, 7], fill), to));
    },
    { tolerance: 0 },
  );

  agreeOnAll('floats truncate', ['int8', 'int32', 'int64', 'bool'] as const, (m, to) => {
    m.output(m.cast(m.input('float32', [8], [1.9, -1.9, 0.5, -0.5, 0, -0, 100.99, -100.99]), to));
  });

  agreeOnAll('wide integers round to floats', ['float32', 'float64'] as const, (m, to) => {
    m.output(m.cast(m.input('int64', [4], [2n ** 53n + 1n, -(2n ** 62n) - 7n, 16777217n, 0n]), to));
  });

  agreeOnAll('integers wrap', ['int8', 'uint8', 'int32'] as const, (m, to) => {
    m.output(m.cast(m.input('int64', [5], [300n, -300n, 2n ** 32n + 5n, -1n, 128n]), to));
  });
});
