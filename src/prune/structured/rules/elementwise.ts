import type { Rule, RuleFamily } from './rule.js';

/** Every input is broadcast to the output. */
const broadcast: Rule = (links) => {
  for (const input of links.node.inputs) if (input !== '') links.linkBroadcast(input, links.output);
};

const names = [
  ...[
    'Abs',
    'Acos',
    'Acosh',
    'Asin',
    'Asinh',
    'Atan',
    'Atanh',
    'Cast',
    'Ceil',
    'Celu',
    'Clip',
    'Cos',
    'Cosh',
  ],
  ...[
    'Elu',
    'Erf',
    'Exp',
    'Floor',
    'Gelu',
    'HardSigmoid',
    'HardSwish',
    'Identity',
    'IsInf',
    'IsNaN',
    'LeakyRelu',
  ],
  ...[
    'Log',
    'Mish',
    'Neg',
    'Not',
    'Reciprocal',
    'Relu',
    'Round',
    'Selu',
    'Shrink',
    'Sigmoid',
    'Sign',
    'Sin',
    'Sinh',
  ],
  ...['Softplus', 'Softsign', 'Sqrt', 'Swish', 'Tan', 'Tanh', 'ThresholdedRelu'],
  ...[
    'Add',
    'And',
    'Div',
    'Equal',
    'Greater',
    'GreaterOrEqual',
    'Less',
    'LessOrEqual',
    'Max',
    'Mean',
    'Min',
    'Mod',
  ],
  ...['Mul', 'Or', 'PRelu', 'Pow', 'Sub', 'Where', 'Xor'],
];

/** Operators that compute every element from those at its place. */
export const elementwise: RuleFamily = Object.fromEntries(names.map((name) => [name, broadcast]));
