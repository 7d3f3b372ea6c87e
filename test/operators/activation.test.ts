import { describe } from 'vitest';
import type { Isa } from '../../src/index.js';
import { loadAddon } from '../../src/native/addon.js';
import { agreeOnAll, type Plain } from './support.js';

interface Activation {
  readonly op: string;
  readonly attributes?: Plain;
  readonly bounds?: readonly (number | undefined)[];
}

const activations: Activation[] = [
  ...['Relu', 'Sigmoid', 'Tanh', 'Erf', 'Softplus', 'Exp', 'Abs', 'Neg', 'Floor', 'Ceil', 'Round'].map(
    (op) => ({ op }),
  ),
  ...['HardSwish', 'Mish', 'Elu', 'Selu', 'LeakyRelu', 'HardSigmoid', 'Gelu'].map((op) => ({ op })),
  { op: 'Gelu', attributes: { approximate: 'tanh' } },
  { op: 'Elu', attributes: { alpha: 0.3 } },
  { op: 'Selu', attributes: { alpha: 1.5, gamma: 0.7 } },
  { op: 'LeakyRelu', attributes: { alpha: 0.25 } },
  { op: 'LeakyRelu', attributes: { alpha: -2 } },
  { op: 'HardSigmoid', attributes: { alpha: 0.5, beta: 0.25 } },
  { op: 'Clip', bounds: [-1, 1] },
  { op: 'Clip', bounds: [undefined, 0.5] },
  { op: 'Clip', bounds: [0.5] },
  { op: 'Clip', bounds: [] },
  { op: 'Clip', bounds: [0, 6] },
];

const positive: Activation[] = [{ op: 'Log' }, { op: 'Sqrt' }, { op: 'Reciprocal' }];

const isas = loadAddon().availableIsas() as Isa[];

/** Opset 22 has every one of them. */
const opset = 22;

describe('activations', () => {
  agreeOnAll(
    'values a network makes',
    [...activations, ...positive].flatMap((one) => [1, 7, 16, 33, 200].map((count) => ({ ...one, count }))),
    (m, { op, attributes, bounds = [], count }) => {
      const only = positive.some((one) => one.op === op);
      const x = m.input('float32', [count], () => (only ? m.random() * 9 + 0.01 : m.random() * 16 - 8));
      const inputs = bounds.map((bound) => (bound === undefined ? '' : m.scalar(bound)));
      m.output(m.node(op, [x, ...inputs], attributes));
    },
    { opset },
  );

  const extremes = [
    0, -0, 1e-30, -1e-30, 1e-5, -1e-5, 20, -20, 88, -88, 89, -89, 104, -104, 1000, -1000, 1e30, -1e30, 3e38,
    -3e38,
  ];
  agreeOnAll(
    'extreme values, infinities and NaN',
    [...activations, ...positive].flatMap((one) => isas.map((isa) => ({ ...one, isa }))),
    (m, { op, attributes, bounds = [] }) => {
      // Clip without a bound leaves infinities alone here; onnxruntime makes them the largest finite number.
      const open = op === 'Clip' && bounds.filter((bound) => bound !== undefined).length < 2;
      const values = [...extremes, ...(open ? [] : [Infinity, -Infinity]), NaN];
      const inputs = bounds.map((bound) => (bound === undefined ? '' : m.scalar(bound)));
      // Each value by itself, so that a large one does not hide the error of a small one.
      for (const value of values)
        m.output(m.node(op, [m.input('float32', [1], [value]), ...inputs], attributes));
    },
    // onnxruntime's approximations of Sigmoid, Tanh and Erf are that far off in their tails.
    ({ isa }) => ({ opset, session: { threads: 1, isa }, negligible: 1e-7 }),
  );

  agreeOnAll(
    'Clip with attributes, before opset 11',
    [{ min: -0.5, max: 0.5 }, { max: 0.25 }, {}],
    (m, bounds) => {
      m.output(m.node('Clip', [m.input('float32', [50])], bounds));
    },
    { opset: 7 },
  );
});
