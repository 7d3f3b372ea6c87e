import { intAttribute, intValue } from '../attributes.js';
import { isFloat } from '../data.js';
import type { OperatorContext } from '../operators/definition.js';
import { inWords } from './activations.js';
import { convolve, convWindow } from './convolutions.js';
import { type Decomposition, type DecompositionFamily, Words } from './definition.js';

/** x - zero in int32, exact; `zero` may be left out. */
function centered(w: Words, x: string, zero: string, dims: readonly number[]): string {
  const wide = w.cast(x, 'int32');
  return zero === '' ? wide : w.sub(wide, w.reshape(w.cast(zero, 'int32'), dims));
}

/** Dims that make a zero point of a factor, one for all or one for each row or column, broadcast to the factor. */
function zeroDims(w: Words, zero: string, side: 'rows' | 'columns'): readonly number[] {
  const dims = zero === '' ? [] : w.dims(zero);
  if (dims.length !== 1 || dims[0] === 1) return dims.length === 1 ? [] : dims;
  return side === 'rows' ? [...dims, 1] : dims;
}

function integerProduct(w: Words, a: string, aZero: string, b: string, bZero: string): string {
  return w.op('MatMul', [
    centered(w, a, aZero, zeroDims(w, aZero, 'rows')),
    centered(w, b, bZero, zeroDims(w, bZero, 'columns')),
  ]);
}

function integerConvolution(
  w: Words,
  context: OperatorContext,
  [x, xZero]: readonly [string, string],
  [weight, weightZero]: readonly [string, string],
  weightIndex: number,
): string {
  const perOutput = w.dims(weight).map((dim, axis) => (axis === 0 ? dim : 1));
  const single = weightZero === '' || w.dims(weightZero).every((dim) => dim === 1);
  return convolve(
    w,
    centered(w, x, xZero, []),
    centered(w, weight, weightZero, single ? [] : perOutput),
    convWindow(context, weightIndex),
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
  MatMulInteger: inWords((w, a, { node }) => {
    const [, b = '', aZero = '', bZero = ''] = node.inputs;
    return integerProduct(w, a, aZero, b, bZero);
  }),
  ConvInteger: inWords((w, x, context) => {
    const [, weight = '', xZero = '', weightZero = ''] = context.node.inputs;
    return integerConvolution(w, context, [x, xZero], [weight, weightZero], 1);
  }),
  QLinearMatMul: inWords((w, a, { node }) => {
    const [, aScale = '', aZero = '', b = '', bScale = '', bZero = '', yScale = '', yZero = ''] = node.inputs;
    const sum = integerProduct(w, a, aZero, b, bZero);
    const rows = w.reshape(aScale, zeroDims(w, aScale, 'rows'));
    const columns = w.reshape(bScale, zeroDims(w, bScale, 'columns'));
    return requantize(w, sum, w.div(w.mul(rows, columns), yScale), yZero);
  }),
  QLinearConv: inWords((w, x, context) => {
    const [, xScale = '', xZero = '', weight = '', weightScale = '', weightZero = ''] = context.node.inputs;
    const [yScale = '', yZero = '', bias = ''] = context.node.inputs.slice(6);
    const product = integerConvolution(w, context, [x, xZero], [weight, weightZero], 3);
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
