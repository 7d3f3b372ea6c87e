import { choiceAttribute, floatAttribute } from '../attributes.js';
import { createElements, isFloat, readElements, readNumbers, toBytes } from '../data.js';
import type { Node } from '../graph.js';
import { roundHalfToEven } from '../half.js';
import type { OperatorDefinition, OperatorFamily } from './definition.js';
import { erf } from './erf.js';

type NumberFunction = (x: number) => number;
type BigIntFunction = (x: bigint) => bigint;

/** An operator on each element by itself; `integers` is left out where ONNX defines it for floats alone. */
function unary(floats: NumberFunction, integers?: BigIntFunction): OperatorDefinition {
  return parametric(() => floats, integers);
}

/** The same, for an operator with attributes. */
function parametric(
  functionOf: (node: Node) => NumberFunction,
  integers?: BigIntFunction,
): OperatorDefinition {
  return {
    infer: (context) => {
      if (integers === undefined && !isFloat(context.type(0)))
        throw context.typeError('the input must be float');
      return [context.input(0)];
    },
    evaluate: (context) => {
      const apply = functionOf(context.node);
      const source = readElements(context.known(0));
      const type = context.type(0);
      const target = createElements(type, source.length);
      if (source instanceof BigInt64Array || source instanceof BigUint64Array) {
        const wide = target as BigInt64Array;
        for (let i = 0; i < source.length; i++) wide[i] = integers?.(source[i] ?? 0n) ?? 0n;
      } else {
        const narrow = target as Float64Array;
        for (let i = 0; i < source.length; i++) narrow[i] = apply(source[i] ?? 0);
      }
      return [toBytes(type, target)];
    },
  };
}

const sigmoid: NumberFunction = (x) => 1 / (1 + Math.exp(-x));
/** log(1 + e^x) without overflow. */
const softplus: NumberFunction = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const gaussian: NumberFunction = (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));
const gaussianByTanh: NumberFunction = (x) =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const identity: BigIntFunction = (x) => x;
/** The defaults, float32 as the specification writes them. */
const selu = { alpha: 1.6732631921768188, gamma: 1.0507010221481323 };

export const unaries: OperatorFamily = {
  Relu: unary(
    (x) => (x > 0 || Number.isNaN(x) ? x : 0),
    (x) => (x > 0n ? x : 0n),
  ),
  LeakyRelu: parametric((node) => {
    const alpha = floatAttribute(node, 'alpha', 0.01);
    return (x) => (x < 0 ? alpha * x : x);
  }),
  Elu: parametric((node) => {
    const alpha = floatAttribute(node, 'alpha', 1);
    return (x) => (x < 0 ? alpha * Math.expm1(x) : x);
  }),
  Selu: parametric((node) => {
    const alpha = floatAttribute(node, 'alpha', selu.alpha);
    const gamma = floatAttribute(node, 'gamma', selu.gamma);
    return (x) => gamma * (x > 0 ? x : alpha * Math.expm1(x));
  }),
  HardSigmoid: parametric((node) => {
    const alpha = floatAttribute(node, 'alpha', 0.2);
    const beta = floatAttribute(node, 'beta', 0.5);
    return (x) => Math.max(0, Math.min(1, alpha * x + beta));
  }),
  HardSwish: unary((x) => x * Math.max(0, Math.min(1, x / 6 + 0.5))),
  Sigmoid: unary(sigmoid),
  Tanh: unary(Math.tanh),
  Erf: unary(erf, identity),
  Gelu: parametric((node) =>
    choiceAttribute(node, 'approximate', ['none', 'tanh'], 'none') === 'tanh' ? gaussianByTanh : gaussian,
  ),
  Softplus: unary(softplus),
  Mish: unary((x) => x * Math.tanh(softplus(x))),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((x) => 1 / x),
  Neg: unary(
    (x) => -x,
    (x) => -x,
  ),
  Abs: unary(Math.abs, (x) => (x < 0n ? -x : x)),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Round: unary(roundHalfToEven),
  Sign: unary(Math.sign, (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n)),
  BitwiseNot: unary(
    (x) => ~x,
    (x) => ~x,
  ),
  Sin: unary(Math.sin),
  Cos: unary(Math.cos),
  Tan: unary(Math.tan),
  Asin: unary(Math.asin),
  Acos: unary(Math.acos),
  Atan: unary(Math.atan),
  Sinh: unary(Math.sinh),
  Cosh: unary(Math.cosh),
  Asinh: unary(Math.asinh),
  Acosh: unary(Math.acosh),
  Atanh: unary(Math.atanh),
  Clip: clip(),
};

/** Clip(x, min, max) with scalar bounds, each of which may be left out. */
function clip(): OperatorDefinition {
  return {
    infer: (context) => {
      for (const i of [1, 2]) {
        if (!context.has(i)) continue;
        if (context.dims(i).some((dim) => dim !== 1)) throw context.shapeError('the bounds must be scalars');
        if (context.type(i) !== context.type(0))
          throw context.typeError('the bounds must have the type of the input');
      }
      return [context.input(0)];
    },
    evaluate: (context) => {
      const type = context.type(0);
      const source = readElements(context.known(0));
      const target = createElements(type, source.length);
      if (source instanceof BigInt64Array || source instanceof BigUint64Array) {
        const [min, max] = [1, 2].map((i) =>
          context.has(i) ? (readElements(context.known(i))[0] as bigint) : undefined,
        );
        const wide = target as BigInt64Array;
        source.forEach((value, i) => {
          const raised = min !== undefined && value < min ? min : value;
          wide[i] = max !== undefined && raised > max ? max : raised;
        });
      } else {
        const [min, max] = [1, 2].map((i) => (context.has(i) ? readNumbers(context.known(i))[0] : undefined));
        const narrow = target as Float64Array;
        source.forEach((value, i) => {
          const raised = min !== undefined && value < min ? min : value;
          narrow[i] = max !== undefined && raised > max ? max : raised;
        });
      }
      return [toBytes(type, target)];
    },
  };
}
