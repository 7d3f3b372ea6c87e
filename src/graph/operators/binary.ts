import { EspalierError } from '../../errors.js';
import type { DataType } from '../../tensor.js';
import { elementCount } from '../../tensor.js';
import { choiceAttribute, intAttribute } from '../attributes.js';
import { createElements, type Elements, isFloat, readElements, toBytes } from '../data.js';
import type { OperatorContext, OperatorDefinition, OperatorFamily, TypeAndDims } from './definition.js';
import { broadcastDims, broadcastStrides, walk } from './strided.js';
import { largerWide, smallerWide, widePower } from './wide.js';

/** Element functions of an operator, by the kind of its operands. 64-bit integers wrap, as int32 does. */
interface ElementFunctions {
  readonly floats?: (a: number, b: number) => number | boolean;
  readonly integers?: (a: number, b: number) => number | boolean;
  readonly wide?: (a: bigint, b: bigint) => bigint | boolean;
}

/** An arithmetic operator: both operands and the result have one type. */
function arithmetic(functions: ElementFunctions, variadic = false): OperatorDefinition {
  return {
    infer: (context) => {
      let { type, dims } = context.input(0);
      for (let i = 1; i < (variadic ? context.inputCount : 2); i++) {
        if (context.type(i) !== type) throw context.typeError('the operands differ in type');
        dims = broadcast(context, dims, context.dims(i));
      }
      return [{ type, dims }];
    },
    evaluate: (context, [output]) => {
      const count = variadic ? context.inputCount : 2;
      let result = { ...context.input(0), elements: readElements(context.known(0)) };
      for (let i = 1; i < count; i++) {
        const right = { ...context.input(i), elements: readElements(context.known(i)) };
        const dims = broadcast(context, result.dims, right.dims);
        result = {
          type: result.type,
          dims,
          elements: combine(context, functions, result, right, result.type, dims),
        };
      }
      return [toBytes((output as TypeAndDims).type, result.elements)];
    },
  };
}

/** An operator whose result is bool. */
function comparison(functions: ElementFunctions): OperatorDefinition {
  return {
    infer: (context) => {
      if (context.type(0) !== context.type(1)) throw context.typeError('the operands differ in type');
      return [{ type: 'bool', dims: broadcast(context, context.dims(0), context.dims(1)) }];
    },
    evaluate: (context, [output]) => {
      const [left, right] = [0, 1].map((i) => ({
        ...context.input(i),
        elements: readElements(context.known(i)),
      }));
      const { dims } = output as TypeAndDims;
      return [toBytes('bool', combine(context, functions, left as Operand, right as Operand, 'bool', dims))];
    },
  };
}

type Operand = TypeAndDims & { readonly elements: Elements };

function combine(
  { node }: OperatorContext,
  functions: ElementFunctions,
  left: Operand,
  right: Operand,
  type: DataType,
  dims: readonly number[],
): Elements {
  const target = createElements(type, elementCount(dims)) as Float64Array;
  const a = left.elements as Float64Array;
  const b = right.elements as Float64Array;
  const wide = left.elements instanceof BigInt64Array || left.elements instanceof BigUint64Array;
  const apply = wide ? functions.wide : isFloat(left.type) ? functions.floats : functions.integers;
  if (apply === undefined) {
    throw new EspalierError(
      'ERR_ESPALIER_TYPE',
      `Node ${node.name} (${node.op}) does not take ${left.type} operands`,
    );
  }
  const numeric = apply as (a: number, b: number) => number;
  const strides = [broadcastStrides(left.dims, dims), broadcastStrides(right.dims, dims)];
  walk(dims, strides, (position, offsets) => {
    const value = numeric(a[offsets[0] ?? 0] ?? 0, b[offsets[1] ?? 0] ?? 0);
    target[position] = typeof value === 'boolean' ? Number(value) : value;
  });
  return target;
}

function broadcast(context: OperatorContext, a: readonly number[], b: readonly number[]): readonly number[] {
  const dims = broadcastDims(a, b);
  if (dims === undefined) throw context.shapeError('the inputs do not broadcast');
  return dims;
}

function divisor<T extends number | bigint>(value: T): T {
  if (value === 0 || value === 0n) {
    throw new EspalierError('ERR_ESPALIER_MODEL', 'Expected no integer division by zero in the model');
  }
  return value;
}

const or = (a: number, b: number) => a !== 0 || b !== 0;
const and = (a: number, b: number) => a !== 0 && b !== 0;
const differ = (a: number, b: number) => (a !== 0) !== (b !== 0);
const smaller = (a: number, b: number) => Math.min(a, b);
const larger = (a: number, b: number) => Math.max(a, b);

/** `remainder` with the sign of the divisor, as Python's %. */
function modulo(a: number, b: number): number {
  const rest = a % divisor(b);
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

function wideModulo(a: bigint, b: bigint): bigint {
  const rest = a % divisor(b);
  return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
}

function shift(left: boolean): OperatorDefinition {
  return arithmetic({
    integers: (a, b) => (b >= 32 ? 0 : left ? a << b : a >>> b),
    wide: (a, b) => (left ? a << b : a >> b),
  });
}

/** Operators whose attributes choose the element function. */
function chosen(
  infer: OperatorDefinition,
  choose: (context: OperatorContext) => OperatorDefinition,
): OperatorDefinition {
  return {
    infer: infer.infer,
    evaluate: (context, outputs) => choose(context).evaluate?.(context, outputs) ?? [],
  };
}

const remainder = arithmetic({
  floats: (a, b) => a % b,
  integers: (a, b) => a % divisor(b),
  wide: (a, b) => a % divisor(b),
});
const pythonModulo = arithmetic({
  floats: (a, b) => (b === 0 ? Number.NaN : modulo(a, b)),
  integers: modulo,
  wide: wideModulo,
});

/** Remainders and bits. */
const bits: OperatorFamily = {
  Mod: chosen(pythonModulo, ({ node }) => (intAttribute(node, 'fmod', 0) === 0 ? pythonModulo : remainder)),
  BitShift: chosen(shift(true), ({ node }) =>
    shift(choiceAttribute(node, 'direction', ['LEFT', 'RIGHT'], 'LEFT') === 'LEFT'),
  ),
  BitwiseAnd: arithmetic({ integers: (a, b) => a & b, wide: (a, b) => a & b }),
  BitwiseOr: arithmetic({ integers: (a, b) => a | b, wide: (a, b) => a | b }),
  BitwiseXor: arithmetic({ integers: (a, b) => a ^ b, wide: (a, b) => a ^ b }),
};

export const binaries: OperatorFamily = {
  Add: arithmetic({ floats: (a, b) => a + b, integers: (a, b) => a + b, wide: (a, b) => a + b }),
  Sub: arithmetic({ floats: (a, b) => a - b, integers: (a, b) => a - b, wide: (a, b) => a - b }),
  Mul: arithmetic({ floats: (a, b) => a * b, integers: Math.imul, wide: (a, b) => a * b }),
  Div: arithmetic({
    floats: (a, b) => a / b,
    integers: (a, b) => Math.trunc(a / divisor(b)),
    wide: (a, b) => a / divisor(b),
  }),
  Min: arithmetic({ floats: smaller, integers: smaller, wide: smallerWide }, true),
  Max: arithmetic({ floats: larger, integers: larger, wide: largerWide }, true),
  Equal: comparison({
    floats: (a, b) => a === b,
    integers: (a, b) => a === b,
    wide: (a, b) => a === b,
  }),
  Less: comparison({ floats: (a, b) => a < b, integers: (a, b) => a < b, wide: (a, b) => a < b }),
  Greater: comparison({ floats: (a, b) => a > b, integers: (a, b) => a > b, wide: (a, b) => a > b }),
  LessOrEqual: comparison({ floats: (a, b) => a <= b, integers: (a, b) => a <= b, wide: (a, b) => a <= b }),
  GreaterOrEqual: comparison({
    floats: (a, b) => a >= b,
    integers: (a, b) => a >= b,
    wide: (a, b) => a >= b,
  }),
  And: comparison({ integers: and }),
  Or: comparison({ integers: or }),
  Xor: comparison({ integers: differ }),
  ...bits,
  PRelu: {
    infer: (context) => {
      if (context.type(0) !== context.type(1)) throw context.typeError('the operands differ in type');
      const dims = broadcast(context, context.dims(0), context.dims(1));
      if (dims.join() !== context.dims(0).join())
        throw context.shapeError('the slope does not broadcast to the input');
      return [context.input(0)];
    },
    evaluate: arithmetic({
      floats: (x, slope) => (x < 0 ? slope * x : x),
      integers: (x, slope) => (x < 0 ? slope * x : x),
      wide: (x, slope) => (x < 0n ? slope * x : x),
    }).evaluate as NonNullable<OperatorDefinition['evaluate']>,
  },
  Pow: {
    infer: (context) => [
      { type: context.type(0), dims: broadcast(context, context.dims(0), context.dims(1)) },
    ],
    evaluate: (context, [output]) => {
      const { type, dims } = output as TypeAndDims;
      const left = { ...context.input(0), elements: readElements(context.known(0)) };
      const right = { ...context.input(1), elements: readElements(context.known(1)) };
      return [toBytes(type, power(context, left, right, dims))];
    },
  },
};

/** Pow takes base and exponent of different types; the result has the base's. */
function power(context: OperatorContext, left: Operand, right: Operand, dims: readonly number[]): Elements {
  const isBig = ({ elements }: Operand) =>
    elements instanceof BigInt64Array || elements instanceof BigUint64Array;
  if (isBig(left) && isBig(right)) return combine(context, { wide: widePower }, left, right, left.type, dims);
  const asNumbers = (operand: Operand): Operand =>
    isBig(operand)
      ? {
          type: 'float64',
          dims: operand.dims,
          elements: Float64Array.from(operand.elements as BigInt64Array, Number),
        }
      : operand;
  const raise = (a: number, b: number) => a ** b;
  const functions = { floats: raise, integers: (a: number, b: number) => Math.trunc(raise(a, b)) };
  const floats = combine(
    context,
    functions,
    asNumbers(left),
    asNumbers(right),
    isBig(left) ? 'float64' : left.type,
    dims,
  );
  return isBig(left) ? BigInt64Array.from(floats as Float64Array, toWide) : floats;
}

function toWide(value: number): bigint {
  return Number.isFinite(value) ? BigInt.asIntN(64, BigInt(Math.trunc(value))) : 0n;
}
