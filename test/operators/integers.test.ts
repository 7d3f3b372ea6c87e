import { describe } from 'vitest';
import type { DataType } from '../../src/tensor.js';
import { agreeOnAll, agreeOnRandom, type Model } from './support.js';

const dims = (m: Model) => Array.from({ length: m.int(1, 3) }, () => m.int(1, 7));
/** Types that onnxruntime has these operators for. */
const integers: readonly DataType[] = ['int8', 'uint8', 'int32', 'int64', 'uint32', 'uint64'];
const wide: readonly DataType[] = ['int32', 'int64', 'float64'];

describe('other types than float32', () => {
  for (const op of ['Add', 'Sub', 'Mul', 'Div', 'Min', 'Max', 'Mod']) {
    agreeOnRandom(
      op,
      20,
      (m) => {
        const type = m.pick(op === 'Mod' ? integers : wide);
        const shape = dims(m);
        const divisor = op === 'Div' || op === 'Mod' ? (i: number) => (i % 5) + 1 : undefined;
        m.output(m.node(op, [m.input(type, shape), m.input(type, shape.slice(-1), divisor)]));
        return { op, type, shape };
      },
      { tolerance: 1e-12 },
    );
  }

  agreeOnRandom(
    'remainders with the sign of the dividend',
    20,
    (m) => {
      const type = m.pick<DataType>(['int32', 'int64', 'float32', 'float64']);
      const shape = dims(m);
      m.output(m.node('Mod', [m.input(type, shape), m.input(type, shape, (i) => (i % 7) - 9)], { fmod: 1 }));
      return { type, shape };
    },
    { tolerance: 1e-6 },
  );

  agreeOnAll(
    'comparisons',
    ['Equal', 'Less', 'Greater', 'LessOrEqual', 'GreaterOrEqual'].flatMap((op) =>
      wide.map((type) => ({ op, type })),
    ),
    (m, { op, type }) => {
      m.output(m.node(op, [m.input(type, [4, 5]), m.input(type, [5])]));
    },
    { opset: 16 },
  );

  agreeOnAll(
    'bits',
    ['BitwiseAnd', 'BitwiseOr', 'BitwiseXor'].flatMap((op) => integers.map((type) => ({ op, type }))),
    (m, { op, type }) => {
      m.output(
        m.node(op, [m.input(type, [4, 5]), m.input(type, [5])]),
        m.node('BitwiseNot', [m.input(type, [3])]),
      );
    },
  );

  agreeOnAll(
    'shifts',
    (['uint8', 'uint32', 'uint64'] as const).flatMap((type) =>
      ['LEFT', 'RIGHT'].map((direction) => ({ type, direction })),
    ),
    (m, { type, direction }) => {
      m.output(m.node('BitShift', [m.input(type, [4, 5]), m.input(type, [5], (i) => i)], { direction }));
    },
  );

  agreeOnAll(
    'one operand',
    [
      ...(['int8', 'int32', 'int64', 'float64'] as const).flatMap((type) =>
        ['Abs', 'Neg', 'Sign'].map((op) => ({ op, type })),
      ),
      ...['Sin', 'Cos', 'Tan', 'Asinh', 'Atan', 'Sinh', 'Cosh', 'Sign'].map(
        (op) => ({ op, type: 'float32' }) as const,
      ),
      ...['Exp', 'Sqrt', 'Sigmoid', 'Tanh', 'Floor', 'Ceil', 'Round', 'Relu'].map(
        (op) => ({ op, type: 'float64' }) as const,
      ),
    ],
    (m, { op, type }) => {
      const values = op === 'Sqrt' ? (i: number) => i / 3 : undefined;
      m.output(m.node(op, [m.input(type, [37], values)]));
    },
    { tolerance: 1e-6 },
  );

  agreeOnAll(
    'reductions',
    ['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceSumSquare'].flatMap((op) =>
      wide.flatMap((type) => [[0], [1], [0, 2], [0, 1, 2]].map((axes) => ({ op, type, axes }))),
    ),
    (m, { op, type, axes }) => {
      const small = (i: number) => ((i * 7) % 3) + 1;
      m.output(m.node(op, [m.input(type, [3, 4, 2], small), m.list(axes)]));
    },
    { tolerance: 1e-12 },
  );

  agreeOnRandom(
    'products',
    30,
    (m) => {
      const type = m.pick<DataType>(['int32', 'uint32', 'int64', 'uint64', 'float64']);
      const [batch, rows, inner, columns] = [m.int(1, 3), m.int(1, 9), m.int(1, 9), m.int(1, 9)];
      m.output(m.node('MatMul', [m.input(type, [batch, rows, inner]), m.input(type, [inner, columns])]));
      return { type, batch, rows, inner, columns };
    },
    { tolerance: 1e-12 },
  );

  agreeOnAll(
    'casts',
    (['float32', 'float64', 'float16', 'int8', 'uint8', 'int32', 'int64', 'bool'] as const).flatMap((from) =>
      (['float32', 'float64', 'float16', 'uint8', 'int32', 'int64', 'bool'] as const).map((to) => ({
        from,
        to,
      })),
    ),
    (m, { from, to }) => {
      const fits = from === 'bool' ? (i: number) => i % 2 : (i: number) => (i * 3) % 100;
      m.output(m.node('Cast', [m.input(from, [33], fits)], { to: codes[to] }));
    },
  );
});

const codes = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float16: 10, float64: 11 } as const;
