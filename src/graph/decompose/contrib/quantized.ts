import { floatAttribute, intAttribute, intValue } from '../../attributes.js';
import type { OperatorContext } from '../../operators/definition.js';
import { inWords } from '../activations.js';
import type { DecompositionFamily, Words } from '../definition.js';

/** The float32 numbers of a quantised input; its scale and zero point are the two inputs behind it. */
function real(w: Words, { node }: OperatorContext, index: number): string {
  const [x = '', scale = '', zero = ''] = node.inputs.slice(index, index + 3);
  return w.op('DequantizeLinear', zero === '' ? [x, scale] : [x, scale, zero]);
}

/** The quantised result; its scale and zero point are inputs from `index` on. */
function quantized(w: Words, y: string, { node }: OperatorContext, index: number): string {
  const [scale = '', zero = ''] = node.inputs.slice(index, index + 2);
  return w.op('QuantizeLinear', zero === '' ? [y, scale] : [y, scale, zero]);
}

/** An operator on one quantised input: its result is what it gives for the numbers, quantised. */
const ofOne = (apply: (w: Words, x: string, context: OperatorContext) => string) =>
  inWords((w, _x, context) => {
    if (intAttribute(context.node, 'channels_last', 0) !== 0) throw context.unsupported('channels_last');
    return quantized(w, apply(w, real(w, context, 0), context), context, 3);
  });

const ofTwo = (op: string) =>
  inWords((w, _x, context) => quantized(w, w.op(op, [real(w, context, 0), real(w, context, 3)]), context, 6));

/** a b of quantised b, where b is dequantised: integers times one scale for all or one for each column. */
function scaledProduct(w: Words, product: string, scale: string, bias: string): string {
  const y = w.mul(w.cast(product, 'float32'), scale);
  return bias === '' ? y : w.add(y, bias);
}

/** Whole numbers of few bits that lie in bytes one behind the other, the lowest bits first. */
function unpack(bytes: readonly number[], bits: number): number[] {
  const each = 8 / bits;
  const mask = 2 ** bits - 1;
  return bytes.flatMap((byte) => Array.from({ length: each }, (_, i) => (byte >> (i * bits)) & mask));
}

/** Weights [inputs, outputs] of blocks of few bits, as numbers. */
function blockWeights(context: OperatorContext): { dims: [number, number]; values: number[] } {
  const { node } = context;
  const [inputs, outputs] = [intAttribute(node, 'K', 0), intAttribute(node, 'N', 0)];
  const [bits, size] = [intAttribute(node, 'bits', 4), intAttribute(node, 'block_size', 0)];
  if (![2, 4, 8].includes(bits)) throw context.unsupported(`weights of ${bits} bits`);
  if (size < 1 || (size * bits) % 8 !== 0) throw context.shapeError(`a block_size of ${size}`);
  if (context.has(4)) throw context.unsupported('g_idx');
  const blocks = Math.ceil(inputs / size); // of each output
  const codes = unpack(context.anyNumbers(1), bits);
  const scales = context.anyNumbers(2);
  if (codes.length !== outputs * blocks * size || scales.length !== outputs * blocks)
    throw context.shapeError(`weights and scales do not fit K ${inputs}, N ${outputs} and blocks of ${size}`);
  const zeroRow = Math.ceil((blocks * bits) / 8) * (8 / bits); // zero points of an output fill whole bytes
  const packedZeros = context.has(3) && context.type(3) === 'uint8';
  const zeros = packedZeros
    ? unpack(context.anyNumbers(3), bits)
    : context.has(3)
      ? context.anyNumbers(3)
      : undefined;
  const values = new Array<number>(inputs * outputs);
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      const block = Math.floor(input / size);
      const at = output * blocks + block;
      const zero = zeros?.[packedZeros ? output * zeroRow + block : at] ?? 2 ** (bits - 1);
      const code = codes[at * size + (input % size)] ?? 0;
      values[input * outputs + output] = (code - zero) * (scales[at] ?? 0);
    }
  }
  return { dims: [inputs, outputs], values };
}

/** Operators on quantised numbers that onnxruntime adds to those of ONNX. */
export const contribQuantized: DecompositionFamily = {
  QuantizeLinear: inWords((w, _x, { node }) =>
    w.op('QuantizeLinear', node.inputs, Object.fromEntries(node.attributes)),
  ),
  DequantizeLinear: inWords((w, _x, { node }) =>
    w.op('DequantizeLinear', node.inputs, Object.fromEntries(node.attributes)),
  ),
  QLinearAdd: ofTwo('Add'),
  QLinearMul: ofTwo('Mul'),
  QLinearSigmoid: ofOne((w, x) => w.op('Sigmoid', [x])),
  QLinearLeakyRelu: ofOne((w, x, { node }) => {
    const alpha = floatAttribute(node, 'alpha', 0.01);
    return w.op('LeakyRelu', [x], { alpha: { kind: 'float', value: alpha } });
  }),
  QLinearAveragePool: ofOne((w, x, { node }) =>
    w.op(
      'AveragePool',
      [x],
      Object.fromEntries([...node.attributes].filter(([name]) => name !== 'channels_last')),
    ),
  ),
  QLinearGlobalAveragePool: ofOne((w, x) => w.op('GlobalAveragePool', [x])),
  QLinearSoftmax: ofOne((w, x, context) => {
    if (intAttribute(context.node, 'opset', 13) < 13)
      throw context.unsupported('Softmax of an opset below 13');
    return w.op('Softmax', [x], { axis: intValue(intAttribute(context.node, 'axis', -1)) });
  }),
  QLinearConcat: inWords((w, _x, context) => {
    const parts = Array.from({ length: Math.floor((context.inputCount - 2) / 3) }, (_, i) =>
      real(w, context, 2 + 3 * i),
    );
    const axis = intAttribute(context.node, 'axis', 0);
    return quantized(w, w.op('Concat', parts, { axis: intValue(axis) }), context, 0);
  }),
  MatMulIntegerToFloat: inWords((w, a, { node }) => {
    const [, b = '', aScale = '', bScale = '', aZero = '', bZero = '', bias = ''] = node.inputs;
    return scaledProduct(w, w.op('MatMulInteger', [a, b, aZero, bZero]), w.mul(aScale, bScale), bias);
  }),
  DynamicQuantizeMatMul: inWords((w, a, { node }) => {
    const [, b = '', bScale = '', bZero = '', bias = ''] = node.inputs;
    const [codes = '', aScale = '', aZero = ''] = w.decomposer.nodes('DynamicQuantizeLinear', [a], 3);
    const product = w.op('MatMulInteger', [codes, b, aZero, bZero]);
    return scaledProduct(w, product, w.mul(aScale, bScale), bias);
  }),
  MatMulNBits: inWords((w, a, context) => {
    const { dims, values } = blockWeights(context);
    const y = w.op('MatMul', [a, w.cast(w.constant('float32', dims, values), context.type(0))]);
    return context.has(5) ? w.add(y, context.node.inputs[5] ?? '') : y;
  }),
};
