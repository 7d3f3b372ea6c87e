import { elementCount } from '../../tensor.js';
import { intAttribute, intValue } from '../attributes.js';
import { isFloat } from '../data.js';
import { exactAttribute } from '../operators/convolution.js';
import type { OperatorContext } from '../operators/definition.js';
import { inWords } from './activations.js';
import { convolve, convWindow } from './convolutions.js';
import { type Decomposition, type DecompositionFamily, Words } from './definition.js';
import { centeredWeights, exactProduct } from './exact.js';

/** x - zero of 8-bit numbers in a wider type, exact; `zero` may be left out. */
function centered(
  w: Words,
  x: string,
  zero: string,
  dims: readonly number[],
  type: 'int32' | 'float32' = 'int32',
): string {
  const wide = w.cast(x, type);
  return zero === '' ? wide : w.sub(wide, w.reshape(w.cast(zero, type), dims));
}

/** Dims that make a zero point of a factor, one for all or one for each row or column, broadcast to the factor. */
function zeroDims(w: Words, zero: string, side: 'rows' | 'columns'): readonly number[] {
  const dims = zero === '' ? [] : w.dims(zero);
  if (dims.length !== 1 || dims[0] === 1) return dims.length === 1 ? [] : dims;
  return side === 'rows' ? [...dims, 1] : dims;
}

/** a b, in int32: operands by their indices, and those of their zero points. */
function integerProduct(
  w: Words,
  context: OperatorContext,
  [a, aZero]: readonly [number, number],
  [b, bZero]: readonly [number, number],
): string {
  const nameOf = (index: number) => context.node.inputs[index] ?? '';
  return (
    floatProduct(w, context, [a, aZero], [b, bZero]) ??
    w.op('MatMul', [
      centered(w, nameOf(a), nameOf(aZero), zeroDims(w, nameOf(aZero), 'rows')),
      centered(w, nameOf(b), nameOf(bZero), zeroDims(w, nameOf(bZero), 'columns')),
    ])
  );
}

/** The same by a float32 product, where b is known and that is exact. */
function floatProduct(
  w: Words,
  context: OperatorContext,
  [a, aZero]: readonly [number, number],
  [b, bZero]: readonly [number, number],
): string | undefined {
  const [weight, zero] = [context.constant(b), context.constant(bZero)];
  const [x = '', xZero = ''] = [context.node.inputs[a], context.node.inputs[aZero]];
  if (weight === undefined || weight.dims.length !== 2) return undefined;
  if (context.has(bZero) && (zero === undefined || zero.dims.length > 1)) return undefined;
  const [inputs = 0, outputs = 0] = weight.dims;
  const { values, most } = centeredWeights(weight, zero, [1, inputs, outputs]);
  const columns = w.constant('float32', weight.dims, values);
  const rows = centered(w, x, xZero, zeroDims(w, xZero, 'rows'), 'float32');
  return exactProduct(w, rows, most, (part) => w.op('MatMul', [part, columns]));
}

/** What of a convolution's attributes says where its windows lie. */
const windowAttributes = ['auto_pad', 'dilations', 'group', 'kernel_shape', 'pads', 'strides'];

/** A convolution of integers in int32: operands by their indices, and those of their zero points. */
function integerConvolution(
  w: Words,
  context: OperatorContext,
  [x, xZero]: readonly [number, number],
  [weight, weightZero]: readonly [number, number],
): string {
  const nameOf = (index: number) => context.node.inputs[index] ?? '';
  const [data, zero] = [context.constant(weight), context.constant(weightZero)];
  const dims = context.dims(weight);
  const isZeroKnown = !context.has(weightZero) || zero !== undefined;
  if (data !== undefined && isZeroKnown) {
    const outputs = dims[0] ?? 0;
    const { values, most } = centeredWeights(data, zero, [outputs, elementCount(dims.slice(1)), 1]);
    const filters = w.constant('float32', dims, values);
    const seen = centered(w, nameOf(x), nameOf(xZero), [], 'float32');
    const known = [...context.node.attributes].filter(([name]) => windowAttributes.includes(name));
    const attributes = { ...Object.fromEntries(known), [exactAttribute]: intValue(1) };
    const product = exactProduct(w, seen, most, (part) => w.op('Conv', [part, filters], attributes));
    if (product !== undefined) return product;
  }
  const single = !context.has(weightZero) || context.dims(weightZero).every((dim) => dim === 1);
  return convolve(
    w,
    centered(w, nameOf(x), nameOf(xZero), []),
    centered(w, nameOf(weight), nameOf(weightZero), single ? [] : dims.map((dim, i) => (i === 0 ? dim : 1))),
    convWindow(context, weight),
    intAttribute(context.node, 'group', 1),
  );
}

/** An exact int32 sum as a quantized number: times `scale`, and rounded. */
function requantize(w: Words, sum: string, scale: string, zero: string): string {
  const scaled = w.mul(w.cast(sum, 'float32'), scale);
  return w.op('QuantizeLinear', [scaled, w.constant('float32', [], [1]), zero]);
}

/** One scale for each block of x along an axis, or x that is no float: scales for every element. */
const blocked =
  (backward: boolean): Decomposition =>
  (context, decomposer) => {
    const w = new Words(decomposer);
    const [x = '', scale = '', zero = ''] = context.node.inputs;
    const size = intAttribute(context.node, 'block_size', 0);
    if (size === 0) {
      if (backward || isFloat(context.type(0))) return undefined;
      const attributes = Object.fromEntries(context.node.attributes);
      return [w.op(context.node.op, [w.cast(x, 'float32'), scale, zero], attributes)];
    }
    const dims = context.dims(0);
    const axis = context.normalizeAxis(intAttribute(context.node, 'axis', 1), dims.length);
    const count = dims.reduce((product, dim) => product * dim, 1);
    const repeat = (name: string): string => {
      const own = w.dims(name);
      const wide = w.expand(w.reshape(name, own.toSpliced(axis + 1, 0, 1)), own.toSpliced(axis + 1, 0, size));
      const whole = w.reshape(wide, own.with(axis, (own[axis] ?? 0) * size));
      return w.reshape(w.slice(whole, axis, 0, dims[axis] ?? 0), [count]);
    };
    const inputs = [w.reshape(x, [count]), repeat(scale), zero === '' ? '' : repeat(zero)];
    const output = context.node.attributes.get('output_dtype');
    const attributes = output === undefined ? {} : { output_dtype: output };
    return [w.reshape(w.op(context.node.op, inputs, { ...attributes, axis: intValue(0) }), dims)];
  };

/** Products of integers: sums are exact in int32, as the specification has them. */
export const quantized: DecompositionFamily = {
  QuantizeLinear: blocked(false),
  DequantizeLinear: blocked(true),
  MatMulInteger: inWords((w, _a, context) => integerProduct(w, context, [0, 2], [1, 3])),
  ConvInteger: inWords((w, _x, context) => integerConvolution(w, context, [0, 2], [1, 3])),
  QLinearMatMul: inWords((w, _a, context) => {
    const [, aScale = '', , , bScale = '', , yScale = '', yZero = ''] = context.node.inputs;
    const sum = integerProduct(w, context, [0, 2], [3, 5]);
    const rows = w.reshape(aScale, zeroDims(w, aScale, 'rows'));
    const columns = w.reshape(bScale, zeroDims(w, bScale, 'columns'));
    return requantize(w, sum, w.div(w.mul(rows, columns), yScale), yZero);
  }),
  QLinearConv: inWords((w, _x, context) => {
    const [, xScale = '', , , weightScale = ''] = context.node.inputs;
    const [yScale = '', yZero = '', bias = ''] = context.node.inputs.slice(6);
    const product = integerConvolution(w, context, [0, 2], [3, 5]);
    const along = w
      .dims(product)
      .map((dim, axis) => (axis === 1 ? dim : 1))
      .slice(1);
    const sum = bias === '' ? product : w.add(product, w.reshape(bias, along));
    const single = w.dims(weightScale).every((dim) => dim === 1);
    const factor = w.mul(w.reshape(xScale, []), w.reshape(weightScale, single ? [] : along));
    return requantize(w, sum, w.div(factor, w.reshape(yScale, [])), yZero);
  }),
  /** Scale and zero point from the range of the data, which is made to hold 0, to uint8. */
  DynamicQuantizeLinear: (context, decomposer) => {
    const w = new Words(decomposer);
    const [x = ''] = context.node.inputs;
    const axes = [...context.dims(0).keys()];
    const zero = w.scalar(0, x);
    const highest = w.op('Max', [w.reduce('ReduceMax', x, axes, false), zero]);
    const lowest = w.op('Min', [w.reduce('ReduceMin', x, axes, false), zero]);
    const scale = w.div(w.sub(highest, lowest), w.scalar(255, x));
    const place = w.op('Round', [w.op('Clip', [w.div(w.sub(zero, lowest), scale), zero, w.scalar(255, x)])]);
    const zeroPoint = w.cast(place, 'uint8');
    return [w.op('QuantizeLinear', [x, scale, zeroPoint]), scale, zeroPoint];
  },
};
