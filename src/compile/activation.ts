import { choiceAttribute, floatAttribute } from '../graph/attributes.js';
import { readNumbers } from '../graph/data.js';
import type { Node, StaticGraph } from '../graph/graph.js';
import type { UnaryOp } from '../native/codes.js';

/** A function of one number; alpha and beta mean what native/kernels/kernel_types.h says for `op`. */
export interface Activation {
  readonly op: UnaryOp;
  readonly alpha: number;
  readonly beta: number;
}

const withoutParameters: Readonly<Record<string, UnaryOp>> = {
  Abs: 'abs',
  Neg: 'neg',
  Relu: 'relu',
  Sigmoid: 'sigmoid',
  HardSwish: 'hardSwish',
  Silu: 'silu',
  Tanh: 'tanh',
  Erf: 'erf',
  Softplus: 'softplus',
  Mish: 'mish',
  Exp: 'exp',
  Log: 'log',
  Sqrt: 'sqrt',
  Reciprocal: 'reciprocal',
  Floor: 'floor',
  Ceil: 'ceil',
  Round: 'round',
};

/** The unary function a float32 node computes of its first input, or undefined when it is not one. */
export function activationOf(graph: StaticGraph, node: Node): Activation | undefined {
  const plain = withoutParameters[node.op];
  if (plain !== undefined) return { op: plain, alpha: 0, beta: 0 };
  const float = (name: string, fallback: number) => floatAttribute(node, name, fallback);
  switch (node.op) {
    case 'LeakyRelu':
      return { op: 'leakyRelu', alpha: float('alpha', 0.01), beta: 0 };
    case 'Elu':
      return { op: 'elu', alpha: float('alpha', 1), beta: 0 };
    case 'Selu':
      return {
        op: 'selu',
        alpha: float('alpha', 1.6732631921768188),
        beta: float('gamma', 1.0507010221481323),
      };
    case 'HardSigmoid':
      return { op: 'hardSigmoid', alpha: float('alpha', 0.2), beta: float('beta', 0.5) };
    case 'Gelu':
      return {
        op:
          choiceAttribute(node, 'approximate', ['none', 'tanh'], 'none') === 'tanh' ? 'geluTanh' : 'geluErf',
        alpha: 0,
        beta: 0,
      };
    case 'Affine':
      return { op: 'affine', alpha: float('alpha', 1), beta: float('beta', 0) };
    case 'Clip': {
      const bound = (i: number, fallback: number): number | undefined => {
        const name = node.inputs[i] ?? '';
        if (name === '') return fallback;
        const data = graph.constants.get(name);
        return data === undefined ? undefined : readNumbers(data)[0];
      };
      const alpha = bound(1, -Infinity);
      const beta = bound(2, Infinity);
      return alpha === undefined || beta === undefined ? undefined : { op: 'clip', alpha, beta };
    }
    default:
      return undefined;
  }
}
