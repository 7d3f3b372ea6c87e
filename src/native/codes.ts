// The numbers of native/kernels/kernel_types.h and native/runtime/ops: the position of a name is its code.

const unaryOps = [
  'copy',
  'abs',
  'neg',
  'relu',
  'clip',
  'leakyRelu',
  'elu',
  'selu',
  'sigmoid',
  'hardSigmoid',
  'hardSwish',
  'silu',
  'tanh',
  'erf',
  'geluErf',
  'geluTanh',
  'softplus',
  'mish',
  'exp',
  'log',
  'sqrt',
  'reciprocal',
  'floor',
  'ceil',
  'round',
  'affine',
] as const;

/** Those without a float32 kernel: no step but `unary` computes them. */
const plainUnaryOps = [
  ...(['sign', 'bitNot', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan'] as const),
  ...(['sinh', 'cosh', 'asinh', 'acosh', 'atanh'] as const),
] as const;

const binaryOps = [
  ...(['add', 'sub', 'mul', 'div', 'min', 'max', 'pow', 'pRelu'] as const),
  ...(['mod', 'fmod', 'shiftLeft', 'shiftRight', 'bitAnd', 'bitOr', 'bitXor'] as const),
] as const;

const compareOps = ['equal', 'less', 'greater', 'lessOrEqual', 'greaterOrEqual', 'and', 'or', 'xor'] as const;

const reduceOps = ['sum', 'max', 'min', 'sumSquare', 'sumAbs', 'prod'] as const;

export type UnaryOp = (typeof unaryOps)[number];
export type PlainUnaryOp = (typeof plainUnaryOps)[number];
export type BinaryOp = (typeof binaryOps)[number];
export type CompareOp = (typeof compareOps)[number];
export type ReduceOp = (typeof reduceOps)[number];

export const unaryCode = (op: UnaryOp): number => unaryOps.indexOf(op);
export const plainUnaryCode = (op: PlainUnaryOp): number => unaryOps.length + plainUnaryOps.indexOf(op);
export const binaryCode = (op: BinaryOp): number => binaryOps.indexOf(op);
export const compareCode = (op: CompareOp): number => compareOps.indexOf(op);
export const reduceCode = (op: ReduceOp): number => reduceOps.indexOf(op);
