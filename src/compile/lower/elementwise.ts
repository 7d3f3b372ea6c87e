import type { Node } from '../../graph/graph.js';
import { broadcastStrides } from '../../graph/operators/strided.js';
import { type BinaryOp, binaryCode, type CompareOp, compareCode, unaryCode } from '../../native/codes.js';
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

export const binaryOperators = Object.keys(binaryOf);
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
  if (builder.typeOf(x).type !== 'float32')
    throw unsupported(node, `an input of type ${builder.typeOf(x).type}`);
  if (activation === undefined) throw unsupported(node, 'bounds computed at run time');
  lowerUnary(builder, node, x, output, activation);
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

/** Two operands, or for Min and Max any number of them. */
export function lowerBinaryNode({ node, output }: FusedNode, builder: PlanBuilder): void {
  const op = binaryOf[node.op] ?? 'add';
  const { type, dims } = builder.typeOf(output);
  if (type !== 'float32' && type !== 'int32' && type !== 'int64') throw unsupported(node, `the type ${type}`);
  const [first = '', ...others] = node.inputs;
  if (others.some((other) => builder.typeOf(other).type !== builder.typeOf(first).type)) {
    throw unsupported(node, 'operands of different types');
  }
  if (others.length === 0) {
    builder.alias(output, first);
    return;
  }
  let left = first;
  others.forEach((right, i) => {
    const last = i === others.length - 1;
    const target = last ? output : builder.temporary(type, dims);
    lowerBinary(builder, node, op, left, right, target);
    left = target;
  });
}

export function lowerCompare({ node, output }: FusedNode, builder: PlanBuilder): void {
  const [a = '', b = ''] = node.inputs;
  const type = builder.typeOf(a).type;
  if (type !== 'float32' && type !== 'int32' && type !== 'int64' && type !== 'bool') {
    throw unsupported(node, `the type ${type}`);
  }
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

const castable = new Set(['float32', 'float64', 'int8', 'uint8', 'int32', 'int64', 'bool']);

export function lowerCast({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const [from, to] = [builder.typeOf(x).type, builder.typeOf(output).type];
  if (from === to) {
    builder.alias(output, x);
    return;
  }
  if (!castable.has(from) || !castable.has(to)) throw unsupported(node, `a cast from ${from} to ${to}`);
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
