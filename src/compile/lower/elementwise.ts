import { choiceAttribute, intAttribute } from '../../graph/attributes.js';
import { isFloat } from '../../graph/data.js';
import type { Node } from '../../graph/graph.js';
import { broadcastStrides } from '../../graph/operators/strided.js';
import {
  type BinaryOp,
  binaryCode,
  type CompareOp,
  compareCode,
  type PlainUnaryOp,
  plainUnaryCode,
  unaryCode,
} from '../../native/codes.js';
import type { DataType } from '../../tensor.js';
import { type Activation, activationOf } from '../activation.js';
import { type PlanBuilder, unsupported } from '../builder.js';
import type { FusedNode } from '../fuse.js';

const binaryOf: Readonly<Record<string, BinaryOp>> = {
  Add: 'add',
  Sub: 'sub',
  Mul: 'mul',
  Div: 'div',
  Min: 'min',
  Max: 'max',
  Pow: 'pow',
  PRelu: 'pRelu',
  Mod: 'mod',
  BitwiseAnd: 'bitAnd',
  BitwiseOr: 'bitOr',
  BitwiseXor: 'bitXor',
};

const compareOf: Readonly<Record<string, CompareOp>> = {
  Equal: 'equal',
  Less: 'less',
  Greater: 'greater',
  LessOrEqual: 'lessOrEqual',
  GreaterOrEqual: 'greaterOrEqual',
  And: 'and',
  Or: 'or',
  Xor: 'xor',
};

/** Unary operators without a float32 kernel. */
const plainOf: Readonly<Record<string, PlainUnaryOp>> = {
  Sign: 'sign',
  BitwiseNot: 'bitNot',
  Sin: 'sin',
  Cos: 'cos',
  Tan: 'tan',
  Asin: 'asin',
  Acos: 'acos',
  Atan: 'atan',
  Sinh: 'sinh',
  Cosh: 'cosh',
  Asinh: 'asinh',
  Acosh: 'acosh',
  Atanh: 'atanh',
};

export const binaryOperators = [...Object.keys(binaryOf), 'BitShift'];
export const plainUnaryOperators = Object.keys(plainOf);
export const compareOperators = Object.keys(compareOf);

/** y = activation(x), element by element. */
export function lowerUnary(
  builder: PlanBuilder,
  node: Node,
  x: string,
  y: string,
  activation: Activation,
): void {
  builder.emit({
    op: 'unary',
    node,
    inputs: [builder.operand(x)],
    output: builder.operand(y),
    ints: { unary_op: unaryCode(activation.op) },
    floats: { alpha: activation.alpha, beta: activation.beta },
  });
}

export function lowerUnaryNode({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const activation = activationOf(builder.graph, node);
  const { type } = builder.typeOf(x);
  if (!isFloat(type) && ['Floor', 'Ceil', 'Round'].includes(node.op)) {
    builder.alias(output, x);
    return;
  }
  if (!isFloat(type) && !['Abs', 'Neg', 'Relu'].includes(node.op))
    throw unsupported(node, `an input of type ${type}`);
  if (activation === undefined) throw unsupported(node, 'bounds computed at run time');
  lowerUnary(builder, node, x, output, activation);
}

export function lowerPlainUnary({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const { type } = builder.typeOf(x);
  const op = plainOf[node.op] ?? 'sign';
  if (op === 'bitNot' ? isFloat(type) : op !== 'sign' && !isFloat(type))
    throw unsupported(node, `an input of type ${type}`);
  builder.emit({
    op: 'unary',
    node,
    inputs: [builder.operand(x)],
    output: builder.operand(output),
    ints: { unary_op: plainUnaryCode(op) },
  });
}

/** The dims of a broadcast operation with axes merged that every operand walks without a gap. */
function collapse(dims: readonly number[], strides: readonly (readonly number[])[]) {
  const merged: number[] = [];
  const mergedStrides: number[][] = strides.map(() => []);
  dims.forEach((dim, axis) => {
    if (dim === 1) return;
    const joins =
      merged.length > 0 && strides.every((own, i) => mergedStrides[i]?.at(-1) === (own[axis] ?? 0) * dim);
    if (joins) {
      merged[merged.length - 1] = (merged.at(-1) ?? 1) * dim;
      strides.forEach((own, i) => {
        mergedStrides[i]?.splice(-1, 1, own[axis] ?? 0);
      });
    } else {
      merged.push(dim);
      strides.forEach((own, i) => {
        mergedStrides[i]?.push(own[axis] ?? 0);
      });
    }
  });
  if (merged.length === 0) return { dims: [1], strides: strides.map(() => [1]) };
  return { dims: merged, strides: mergedStrides };
}

function broadcastNumbers(builder: PlanBuilder, output: string, inputs: Readonly<Record<string, string>>) {
  const dims = builder.dimsOf(output);
  const names = Object.keys(inputs);
  const { dims: merged, strides } = collapse(
    dims,
    names.map((name) => broadcastStrides(builder.dimsOf(inputs[name] ?? ''), dims)),
  );
  return {
    dims: merged,
    ...Object.fromEntries(names.map((name, i) => [`${name}_strides`, strides[i] ?? []])),
  };
}

export function lowerBinary(
  builder: PlanBuilder,
  node: Node,
  op: BinaryOp,
  a: string,
  b: string,
  y: string,
): void {
  builder.emit({
    op: 'binary',
    node,
    inputs: [builder.operand(a), builder.operand(b)],
    output: builder.operand(y),
    ints: { op: binaryCode(op), ...broadcastNumbers(builder, y, { a, b }) },
  });
}

/** The native operator of a node; attributes choose it for some. */
function binaryOpOf(node: Node): BinaryOp {
  if (node.op === 'Mod' && intAttribute(node, 'fmod', 0) !== 0) return 'fmod';
  if (node.op !== 'BitShift') return binaryOf[node.op] ?? 'add';
  return choiceAttribute(node, 'direction', ['LEFT', 'RIGHT'], 'LEFT') === 'LEFT'
    ? 'shiftLeft'
    : 'shiftRight';
}

/** Two operands, or for Min and Max any number of them. */
export function lowerBinaryNode({ node, output }: FusedNode, builder: PlanBuilder): void {
  const { type, dims } = builder.typeOf(output);
  const [first = '', ...others] = node.inputs;
  if (node.op === 'Pow' && others.some((other) => builder.typeOf(other).type !== type)) {
    lowerMixedPower(node, output, builder);
    return;
  }
  if (others.length === 0) {
    builder.alias(output, first);
    return;
  }
  let left = first;
  others.forEach((right, i) => {
    const last = i === others.length - 1;
    const target = last ? output : builder.temporary(type, dims);
    lowerBinary(builder, node, binaryOpOf(node), left, right, target);
    left = target;
  });
}

/** An exponent of another type: an integer one is cast to a float base's, anything else is done in float64. */
function lowerMixedPower(node: Node, output: string, builder: PlanBuilder): void {
  const [base = '', exponent = ''] = node.inputs;
  const { type, dims } = builder.typeOf(output);
  const common = isFloat(type) ? type : 'float64';
  const power = common === type ? output : builder.temporary(common, dims);
  const [a, b] = [base, exponent].map((name) => castTo(builder, node, name, common)) as [string, string];
  lowerBinary(builder, node, 'pow', a, b, power);
  if (power !== output)
    builder.emit({ op: 'cast', node, inputs: [builder.operand(power)], output: builder.operand(output) });
}

function castTo(builder: PlanBuilder, node: Node, name: string, type: DataType): string {
  const own = builder.typeOf(name);
  if (own.type === type) return name;
  const target = builder.temporary(type, own.dims);
  builder.emit({ op: 'cast', node, inputs: [builder.operand(name)], output: builder.operand(target) });
  return target;
}

export function lowerCompare({ node, output }: FusedNode, builder: PlanBuilder): void {
  const [a = '', b = ''] = node.inputs;
  builder.emit({
    op: 'compare',
    node,
    inputs: [builder.operand(a), builder.operand(b)],
    output: builder.operand(output),
    ints: { op: compareCode(compareOf[node.op] ?? 'equal'), ...broadcastNumbers(builder, output, { a, b }) },
  });
}

export function lowerWhere({ node, output }: FusedNode, builder: PlanBuilder): void {
  const [condition = '', a = '', b = ''] = node.inputs;
  builder.emit({
    op: 'where',
    node,
    inputs: [builder.operand(condition), builder.operand(a), builder.operand(b)],
    output: builder.operand(output),
    ints: broadcastNumbers(builder, output, { condition, a, b }),
  });
}

export function lowerCast({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const [from, to] = [builder.typeOf(x).type, builder.typeOf(output).type];
  if (from === to) {
    builder.alias(output, x);
    return;
  }
  builder.emit({ op: 'cast', node, inputs: [builder.operand(x)], output: builder.operand(output) });
}

/** not x is x == false. */
export function lowerNot({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const no = builder.constant({ type: 'bool', dims: [], bytes: new Uint8Array(1) });
  builder.emit({
    op: 'compare',
    node,
    inputs: [builder.operand(x), builder.operand(no)],
    output: builder.operand(output),
    ints: { op: compareCode('equal'), ...broadcastNumbers(builder, output, { a: x, b: no }) },
  });
}
