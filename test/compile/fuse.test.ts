import { describe, expect, test } from 'vitest';
import { Model, type Plain } from '../operators/support.js';
import { stepsThatAgree } from './support.js';

/** A Conv of 4 to 6 channels that keeps [1, 6, 5, 5]. */
function conv(m: Model, attributes: Plain = { pads: [1, 1, 1, 1] }, spatial = [5, 5]): string {
  const x = m.input('float32', [1, 4, ...spatial]);
  return m.node('Conv', [x, m.constant('float32', [6, 4, 3, 3]), m.constant('float32', [6])], attributes);
}

const one = (name: string, build: (m: Model) => unknown, steps: readonly string[]) =>
  test(name, async () => {
    const m = new Model(22);
    build(m);
    expect(await stepsThatAgree(m)).toEqual(steps);
  });

describe('activations join the product before them', () => {
  const products: Record<string, (m: Model) => string> = {
    conv2d: (m) => conv(m),
    depthwise_conv2d: (m) => {
      const x = m.input('float32', [1, 4, 5, 5]);
      return m.node('Conv', [x, m.constant('float32', [8, 1, 3, 3])], { group: 4 });
    },
    matmul: (m) => m.node('MatMul', [m.input('float32', [3, 4]), m.constant('float32', [4, 5])]),
  };
  for (const [step, product] of Object.entries(products)) {
    for (const op of ['Relu', 'Sigmoid', 'Tanh', 'HardSwish', 'Gelu', 'Mish', 'LeakyRelu']) {
      one(`${op} joins ${step}`, (m) => m.output(m.node(op, [product(m)])), [step]);
    }
    one(
      `Clip with constant bounds joins ${step}`,
      (m) => {
        m.output(m.node('Clip', [product(m), m.scalar(-0.5), m.scalar(0.5)]));
      },
      [step],
    );
    one(`a scalar Mul joins ${step}`, (m) => m.output(m.node('Mul', [product(m), m.input('float32', [])])), [
      step,
      'binary',
    ]);
    one(
      `a second activation stays behind ${step}`,
      (m) => {
        m.output(m.node('Tanh', [m.node('Relu', [product(m)])]));
      },
      [step, 'unary'],
    );
    one(
      `${step} that is an output keeps its own value`,
      (m) => {
        const y = product(m);
        m.output(y, m.node('Relu', [y]));
      },
      [step, 'unary'],
    );
    one(
      `${step} that is read twice keeps its own value`,
      (m) => {
        const y = product(m);
        m.output(m.node('Add', [m.node('Relu', [y]), m.node('Neg', [y])]));
      },
      [step, 'unary', 'unary', 'binary'],
    );
  }

  one(
    'ConvTranspose',
    (m) => {
      const y = m.node(
        'ConvTranspose',
        [m.input('float32', [1, 3, 4, 4]), m.constant('float32', [3, 2, 2, 2])],
        { strides: [2, 2] },
      );
      m.output(m.node('LeakyRelu', [y]));
    },
    ['conv2d', 'conv_scatter'],
  );

  one(
    'a MatMul of two run-time operands',
    (m) => {
      m.output(m.node('Relu', [m.node('MatMul', [m.input('float32', [3, 4]), m.input('float32', [4, 5])])]));
    },
    ['batch_matmul', 'unary'],
  );
});

describe('residuals and biases join the product before them', () => {
  one(
    'Conv, Add of equal dims, Relu',
    (m) => {
      m.output(m.node('Relu', [m.node('Add', [conv(m), m.input('float32', [1, 6, 5, 5])])]));
    },
    ['conv2d'],
  );
  one(
    'the residual on the left',
    (m) => {
      m.output(m.node('Add', [m.input('float32', [1, 6, 5, 5]), conv(m)]));
    },
    ['conv2d'],
  );
  one(
    'two convolutions added: one of them takes the other',
    (m) => m.output(m.node('Relu', [m.node('Add', [conv(m), conv(m)])])),
    ['conv2d', 'conv2d'],
  );
  one(
    'a second residual stays',
    (m) => {
      const sum = m.node('Add', [conv(m), m.input('float32', [1, 6, 5, 5])]);
      m.output(m.node('Add', [sum, m.input('float32', [1, 6, 5, 5])]));
    },
    ['conv2d', 'binary'],
  );
  one(
    'a residual behind the activation stays',
    (m) => {
      m.output(m.node('Add', [m.node('Relu', [conv(m)]), m.input('float32', [1, 6, 5, 5])]));
    },
    ['conv2d', 'binary'],
  );
  one(
    'the product added to itself',
    (m) => {
      const y = conv(m);
      m.output(m.node('Add', [y, y]));
    },
    ['conv2d', 'binary'],
  );
  for (const dims of [[6, 1, 1], [1, 6, 5, 1], [5], [1, 1, 5, 5], [2, 6, 5, 5], [1, 1, 6, 5, 5]]) {
    one(
      `a run-time addend [${dims}] that broadcasts stays`,
      (m) => {
        m.output(m.node('Relu', [m.node('Add', [conv(m), m.input('float32', dims)])]));
      },
      ['conv2d', 'binary', 'unary'],
    );
  }

  const matmul = (m: Model, rows = 3) =>
    m.node('MatMul', [m.input('float32', [rows, 4]), m.constant('float32', [4, 5])]);
  for (const dims of [[5], [1, 5]]) {
    one(
      `MatMul with a constant bias [${dims}], a residual and an activation`,
      (m) => {
        const biased = m.node('Add', [m.constant('float32', dims), matmul(m)]);
        m.output(m.node('Gelu', [m.node('Add', [biased, m.input('float32', [3, 5])])]));
      },
      ['matmul'],
    );
  }
  one(
    'a constant column is no bias',
    (m) => m.output(m.node('Add', [matmul(m), m.constant('float32', [3, 1])])),
    ['matmul', 'binary'],
  );
  one(
    'a square constant column is no bias',
    (m) => m.output(m.node('Add', [matmul(m, 5), m.constant('float32', [5, 1])])),
    ['matmul', 'binary'],
  );
  one(
    'a bias that adds an axis is none',
    (m) => m.output(m.node('Add', [matmul(m), m.constant('float32', [1, 1, 5])])),
    ['matmul', 'binary'],
  );
  one(
    'a bias behind a residual stays',
    (m) => {
      const sum = m.node('Add', [matmul(m), m.input('float32', [3, 5])]);
      m.output(m.node('Add', [sum, m.constant('float32', [5])]));
    },
    ['matmul', 'binary'],
  );
  one(
    'a constant bias behind a MatMul of batches',
    (m) => {
      const y = m.node('MatMul', [m.input('float32', [2, 3, 4]), m.constant('float32', [2, 4, 5])]);
      m.output(m.node('Relu', [m.node('Add', [y, m.constant('float32', [5])])]));
    },
    ['batch_matmul', 'binary', 'unary'],
  );

  for (const attributes of [{ alpha: 0.5 }, { beta: 2 }, { transA: 1 }]) {
    one(
      `a residual behind Gemm ${JSON.stringify(attributes)}, which has no epilogue`,
      (m) => {
        const [a, b, c] = [
          m.input('float32', [4, 4]),
          m.constant('float32', [4, 4]),
          m.constant('float32', [4]),
        ];
        m.output(
          m.node('Relu', [
            m.node('Add', [m.node('Gemm', [a, b, c], attributes), m.input('float32', [4, 4])]),
          ]),
        );
      },
      ['batch_matmul', ...('beta' in attributes ? ['unary'] : []), 'binary', 'binary', 'unary'],
    );
  }
  one(
    'a residual behind Gemm with a bias per row',
    (m) => {
      const gemm = m.node('Gemm', [
        m.input('float32', [3, 4]),
        m.constant('float32', [4, 5]),
        m.constant('float32', [3, 1]),
      ]);
      m.output(m.node('Add', [gemm, m.input('float32', [3, 5])]));
    },
    ['batch_matmul', 'binary', 'binary'],
  );
  one(
    'a residual behind plain Gemm',
    (m) => {
      const gemm = m.node('Gemm', [
        m.input('float32', [3, 4]),
        m.constant('float32', [4, 5]),
        m.input('float32', [5]),
      ]);
      m.output(m.node('Add', [gemm, m.input('float32', [3, 5])]));
    },
    ['matmul'],
  );
});

describe('decomposed activations', () => {
  const x = (m: Model) => m.input('float32', [2, 3, 4], () => m.random() * 16 - 8);
  const relu6 = (m: Model, of: string, bounds = [0, 6]) =>
    m.node('Clip', [of, ...bounds.map((bound) => m.scalar(bound))]);

  one(
    'x * clip(x + 3, 0, 6) / 6',
    (m) => {
      const input = x(m);
      const gate = relu6(m, m.node('Add', [input, m.scalar(3)]));
      m.output(m.node('Div', [m.node('Mul', [input, gate]), m.scalar(6)]));
    },
    ['unary'],
  );
  one(
    'clip(3 + x, 0, 6) * x / 6',
    (m) => {
      const input = x(m);
      const gate = relu6(m, m.node('Add', [m.scalar(3), input]));
      m.output(m.node('Div', [m.node('Mul', [gate, input]), m.scalar(6)]));
    },
    ['unary'],
  );
  one(
    'x * HardSigmoid(x; 1/6, 1/2)',
    (m) => {
      const input = x(m);
      m.output(m.node('Mul', [m.node('HardSigmoid', [input], { alpha: 1 / 6, beta: 0.5 }), input]));
    },
    ['unary'],
  );
  one(
    'x * Sigmoid(x)',
    (m) => {
      const input = x(m);
      m.output(m.node('Mul', [input, m.node('Sigmoid', [input])]));
    },
    ['unary'],
  );
  one(
    'all of them behind a convolution',
    (m) => {
      const y = conv(m);
      m.output(m.node('Mul', [y, m.node('Sigmoid', [y])]));
    },
    ['conv2d'],
  );

  one(
    'other constants: HardSigmoid(x; 0.2, 1/2)',
    (m) => {
      const input = x(m);
      m.output(m.node('Mul', [input, m.node('HardSigmoid', [input])]));
    },
    ['unary', 'binary'],
  );
  for (const [shift, high, divisor] of [
    [2, 6, 6],
    [3, 5, 6],
    [3, 6, 5],
    [3.001, 6, 6],
  ] as const) {
    one(
      `other constants: x * clip(x + ${shift}, 0, ${high}) / ${divisor}`,
      (m) => {
        const input = x(m);
        const gate = relu6(m, m.node('Add', [input, m.scalar(shift)]), [0, high]);
        m.output(m.node('Div', [m.node('Mul', [input, gate]), m.scalar(divisor)]));
      },
      ['unary', 'unary', 'binary', 'unary'],
    );
  }
  one('the gate of another value', (m) => m.output(m.node('Mul', [x(m), m.node('Sigmoid', [x(m)])])), [
    'unary',
    'binary',
  ]);
  one(
    'the gate squared',
    (m) => {
      const gate = m.node('Sigmoid', [x(m)]);
      m.output(m.node('Mul', [gate, gate]));
    },
    ['unary', 'binary'],
  );
  one(
    'the gate is an output too',
    (m) => {
      const input = x(m);
      const gate = m.node('Sigmoid', [input]);
      m.output(gate, m.node('Mul', [input, gate]));
    },
    ['unary', 'unary'],
  );
  one(
    'a constant of more axes keeps the axes it adds',
    (m) => {
      const input = conv(m);
      const gate = relu6(m, m.node('Add', [input, m.constant('float32', [1, 1, 1, 1, 1], [3])]));
      m.output(m.node('Div', [m.node('Mul', [input, gate]), m.scalar(6)]));
    },
    ['conv2d', 'binary', 'unary', 'binary', 'unary'],
  );
});

describe('scalar arithmetic', () => {
  const x = (m: Model) => m.input('float32', [2, 3]);
  one(
    'two in a row are one step',
    (m) => m.output(m.node('Add', [m.node('Mul', [x(m), m.scalar(3)]), m.scalar(1)])),
    ['unary'],
  );
  one(
    'every form',
    (m) => {
      const input = x(m);
      for (const op of ['Add', 'Sub', 'Mul', 'Div']) m.output(m.node(op, [input, m.scalar(1.7)]));
      for (const op of ['Add', 'Sub', 'Mul']) m.output(m.node(op, [m.scalar(1.7), input]));
    },
    new Array(7).fill('unary'),
  );
  one('a constant divided by x', (m) => m.output(m.node('Div', [m.scalar(2), x(m)])), ['binary']);
  one(
    'the first is an output too',
    (m) => {
      const first = m.node('Mul', [x(m), m.scalar(3)]);
      m.output(first, m.node('Add', [first, m.scalar(1)]));
    },
    ['unary', 'unary'],
  );
  one('a constant that adds axes', (m) => m.output(m.node('Mul', [x(m), m.constant('float32', [1, 1, 1])])), [
    'binary',
  ]);
  one(
    'factors that float32 cannot hold together',
    (m) => {
      const tiny = m.node('Mul', [m.input('float32', [2], [1e30, 0]), m.scalar(1e-30)]);
      const [up, down] = [
        m.node('Mul', [tiny, m.scalar(1e-30)]),
        m.node('Mul', [m.node('Mul', [x(m), m.scalar(1e30)]), m.scalar(1e30)]),
      ];
      m.output(m.node('Mul', [up, m.scalar(1e30)]), m.node('Neg', [down]));
    },
    ['unary', 'unary', 'unary', 'unary', 'unary'],
  );
});

describe('Pad joins the convolution behind it', () => {
  const padded = (
    m: Model,
    pads: readonly number[],
    options: { value?: number; mode?: string; own?: Plain } = {},
  ) => {
    const { value, mode, own = {} } = options;
    const x = m.input('float32', [1, 4, 6, 7]);
    const inputs = [x, m.list(pads), ...(value === undefined ? [] : [m.scalar(value)])];
    return m.node('Conv', [m.node('Pad', inputs, { mode }), m.constant('float32', [6, 4, 3, 3])], own);
  };
  one('of zeros', (m) => m.output(padded(m, [0, 0, 1, 2, 0, 0, 0, 1])), ['conv2d']);
  one(
    'of zeros that are written out, on top of own pads',
    (m) => {
      m.output(
        padded(m, [0, 0, 1, 2, 0, 0, 0, 1], { value: 0, own: { pads: [1, 0, 2, 1], strides: [2, 1] } }),
      );
    },
    ['conv2d'],
  );
  one('not of ones', (m) => m.output(padded(m, [0, 0, 1, 1, 0, 0, 1, 1], { value: 1 })), [
    'fill',
    'copy',
    'conv2d',
  ]);
  one('not when it crops', (m) => m.output(padded(m, [0, 0, -1, 0, 0, 0, 1, 0])), ['fill', 'copy', 'conv2d']);
  one('not of the batch', (m) => m.output(padded(m, [1, 0, 1, 1, 0, 0, 1, 1])), ['fill', 'copy', 'conv2d']);
  one(
    'not with auto_pad',
    (m) => m.output(padded(m, [0, 0, 1, 1, 0, 0, 1, 1], { own: { auto_pad: 'SAME_UPPER' } })),
    ['fill', 'copy', 'conv2d'],
  );
  one(
    'that is read twice',
    (m) => {
      const pad = m.node('Pad', [m.input('float32', [1, 4, 6, 7]), m.list([0, 0, 1, 1, 0, 0, 1, 1])]);
      m.output(pad, m.node('Conv', [pad, m.constant('float32', [6, 4, 3, 3])]));
    },
    ['fill', 'copy', 'conv2d'],
  );
});
