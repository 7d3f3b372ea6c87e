import { describe, expect, test } from 'vitest';
import { Model } from '../operators/support.js';
import { stepsThatAgree } from './support.js';

/** A pattern that exporters write is the given steps, and computes what its nodes compute in onnxruntime. */
const one = (name: string, build: (m: Model) => string, steps: readonly string[]) =>
  test(name, async () => {
    const m = new Model(21, name.length);
    m.output(build(m));
    expect(await stepsThatAgree(m)).toEqual(steps);
  });

const spread = (m: Model) => m.input('float32', [2, 5, 24], () => m.random() * 8 - 4);

type Write = (m: Model, x: string) => string;

const square: Record<string, Write> = {
  Pow: (m, d) => m.node('Pow', [d, m.scalar(2)]),
  Mul: (m, d) => m.node('Mul', [d, d]),
};
const quotient: Record<string, (m: Model, a: string, sum: string) => string> = {
  'Sqrt and Div': (m, a, sum) => m.node('Div', [a, m.node('Sqrt', [sum])]),
  'Reciprocal and Mul': (m, a, sum) => m.node('Mul', [m.node('Reciprocal', [m.node('Sqrt', [sum])]), a]),
  'a Div of 1': (m, a, sum) => m.node('Mul', [a, m.node('Div', [m.scalar(1), m.node('Sqrt', [sum])])]),
  'Pow of -0.5': (m, a, sum) => m.node('Mul', [a, m.node('Pow', [sum, m.scalar(-0.5)])]),
};
const mean = (m: Model, x: string, axes = [-1]) => m.node('ReduceMean', [x, m.list(axes)], { keepdims: 1 });
const sumOf = (m: Model, squares: string, axes?: number[]) =>
  m.node('Add', [mean(m, squares, axes), m.scalar(1e-5)]);
const scaledBy = (m: Model, y: string, ...dims: number[]) => m.node('Mul', [m.constant('float32', dims), y]);

describe('layer normalisation', () => {
  for (const [how, squared] of Object.entries(square)) {
    for (const [form, divide] of Object.entries(quotient)) {
      one(
        `by ${how}, ${form}`,
        (m) => {
          const x = spread(m);
          const d = m.node('Sub', [x, mean(m, x)]);
          const y = divide(m, d, sumOf(m, squared(m, d)));
          return m.node('Add', [scaledBy(m, y, 24), m.constant('float32', [24])]);
        },
        ['layer_norm'],
      );
    }
  }
  one(
    'of a difference that is written twice',
    (m) => {
      const x = spread(m);
      const average = mean(m, x);
      const [a, b] = [m.node('Sub', [x, average]), m.node('Sub', [x, average])];
      return m.node('Div', [a, m.node('Sqrt', [sumOf(m, m.node('Mul', [b, b]))])]);
    },
    ['layer_norm'],
  );
  one(
    'over the last two axes, with scale and bias of leading axes',
    (m) => {
      const x = spread(m);
      const d = m.node('Sub', [x, mean(m, x, [1, -1])]);
      const y = m.node('Div', [d, m.node('Sqrt', [sumOf(m, m.node('Mul', [d, d]), [2, 1])])]);
      return m.node('Add', [scaledBy(m, y, 1, 5, 24), m.constant('float32', [5, 24])]);
    },
    ['layer_norm'],
  );
  one(
    'keeps a scale for each row, and what is added to it, apart',
    (m) => {
      const x = spread(m);
      const d = m.node('Sub', [x, mean(m, x)]);
      const y = m.node('Div', [d, m.node('Sqrt', [sumOf(m, m.node('Mul', [d, d]))])]);
      return m.node('Add', [scaledBy(m, y, 5, 1), m.constant('float32', [24])]);
    },
    ['layer_norm', 'binary', 'binary'],
  );
  one(
    'is not what takes another mean off',
    (m) => {
      const x = spread(m);
      const d = m.node('Sub', [x, mean(m, x, [1])]);
      return m.node('Div', [d, m.node('Sqrt', [sumOf(m, m.node('Mul', [d, d]))])]);
    },
    ['copy', 'reduce', 'binary', 'layer_norm'].slice(1), // of a difference to the mean of other axes: RMS
  );
});

describe('normalisation by the root of the mean of squares', () => {
  for (const [form, divide] of Object.entries(quotient)) {
    one(
      form,
      (m) => {
        const x = spread(m);
        return scaledBy(m, divide(m, x, sumOf(m, m.node('Pow', [x, m.scalar(2)]))), 24);
      },
      ['layer_norm'],
    );
  }
  one(
    'has no bias',
    (m) => {
      const x = spread(m);
      const y = quotient['Sqrt and Div']?.(m, x, sumOf(m, m.node('Mul', [x, x]))) ?? '';
      return m.node('Add', [y, m.constant('float32', [24])]);
    },
    ['layer_norm', 'binary'],
  );
});

const half = (m: Model, x: string) => m.node('Mul', [x, m.scalar(0.5)]);
const plusOne = (m: Model, x: string) => m.node('Add', [x, m.scalar(1)]);
const times = (m: Model, x: string, factor: number) => m.node('Mul', [x, m.scalar(factor)]);
const erf = (m: Model, x: string) => plusOne(m, m.node('Erf', [m.node('Div', [x, m.scalar(Math.SQRT2)])]));
const cube = (m: Model, x: string) => m.node('Pow', [x, m.scalar(3)]);
const root = Math.sqrt(2 / Math.PI);

describe('GELU', () => {
  const forms: Record<string, Write> = {
    'x (1 + erf) 0.5': (m, x) => half(m, m.node('Mul', [x, erf(m, x)])),
    '0.5 x (1 + erf)': (m, x) => m.node('Mul', [half(m, x), erf(m, x)]),
    'x (0.5 (1 + erf))': (m, x) => m.node('Mul', [x, half(m, erf(m, x))]),
    'tanh of x + 0.044715 x^3': (m, x) => {
      const argument = times(m, m.node('Add', [x, times(m, cube(m, x), 0.044715)]), root);
      return m.node('Mul', [half(m, x), plusOne(m, m.node('Tanh', [argument]))]);
    },
    'tanh of x (1 + 0.044715 x x)': (m, x) => {
      const inner = plusOne(m, m.node('Mul', [times(m, x, 0.044715), x]));
      const argument = m.node('Mul', [times(m, x, root), inner]);
      return m.node('Mul', [half(m, x), plusOne(m, m.node('Tanh', [argument]))]);
    },
  };
  for (const [name, write] of Object.entries(forms)) {
    one(name, (m) => write(m, spread(m)), ['unary']);
    one(
      `${name}, of a product`,
      (m) => {
        const x = m.node('Mul', [spread(m), m.input('float32', [24])]);
        return write(m, x);
      },
      ['binary', 'unary'],
    );
  }
  one(
    'joins the product before it',
    (m) => {
      const x = m.node('MatMul', [spread(m), m.constant('float32', [24, 8])]);
      return forms['x (1 + erf) 0.5']?.(m, x) ?? '';
    },
    ['matmul'],
  );
  one(
    'is not a gate of another argument',
    (m) => {
      const x = spread(m);
      return half(m, m.node('Mul', [x, plusOne(m, m.node('Erf', [x]))]));
    },
    ['unary', 'unary', 'binary', 'unary'],
  );
});

describe('transposes', () => {
  const x = (m: Model) => m.input('float32', [2, 3, 4]);
  const turn = (m: Model, y: string, ...perm: number[]) => m.node('Transpose', [y], { perm });
  one('that undo each other go', (m) => m.node('Relu', [turn(m, turn(m, x(m), 2, 0, 1), 1, 2, 0)]), [
    'unary',
  ]);
  one('in a row are one', (m) => turn(m, turn(m, x(m), 2, 0, 1), 2, 0, 1), ['copy']);
});
