import { type DataType, elementCount } from '../../tensor.js';
import { intAttribute } from '../attributes.js';
import { createElements, isFloat, readElements, toBytes } from '../data.js';
import { roundHalfToEven } from '../half.js';
import { describeTypeCode, typeOfCode } from '../type_codes.js';
import type { OperatorContext, OperatorFamily, TypeAndDims } from './definition.js';

const ranges: Partial<Record<DataType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** The parts of x before, along and after the axis that scale and zero point run along; axis is 1 for one scale. */
export function quantizedSplit(context: OperatorContext): [outer: number, axis: number, inner: number] {
  const dims = context.dims(0);
  const count = elementCount(context.dims(1));
  if (count === 1 && context.dims(1).length <= 1) return [1, 1, elementCount(dims)];
  const axis = context.normalizeAxis(intAttribute(context.node, 'axis', 1), dims.length);
  if (context.dims(1).join() !== String(dims[axis]))
    throw context.shapeError(`the scale needs dims [] or [${dims[axis]}]`);
  return [elementCount(dims.slice(0, axis)), count, elementCount(dims.slice(axis + 1))];
}

function checkZero(context: OperatorContext, type: DataType): void {
  if (!context.has(2)) return;
  if (context.type(2) !== type) throw context.typeError(`the zero point must be ${type}`);
  if (elementCount(context.dims(2)) !== elementCount(context.dims(1)))
    throw context.shapeError('scale and zero point differ in dims');
}

/** Calls `visit(i, scale, zero)` for each element of x. */
function eachElement(
  context: OperatorContext,
  visit: (i: number, scale: number, zero: number) => void,
): void {
  const [outer, axis, inner] = quantizedSplit(context);
  const scales = context.anyNumbers(1);
  const zeros = context.has(2) ? context.anyNumbers(2) : [];
  for (let row = 0; row < outer * axis; row++) {
    const [scale = 1, zero = 0] = [scales[row % axis], zeros[row % axis]];
    for (let i = row * inner; i < (row + 1) * inner; i++) visit(i, scale, zero);
  }
}

/** Numbers as integers of few bits and back (https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html). */
export const quantizations: OperatorFamily = {
  QuantizeLinear: {
    infer: (context) => {
      const code = intAttribute(context.node, 'output_dtype', 0);
      const declared = code === 0 ? 'uint8' : typeOfCode.get(code);
      const type = context.has(2) ? context.type(2) : declared;
      if (type === undefined || ranges[type] === undefined)
        throw context.unsupported(`quantizing to ${type ?? describeTypeCode(code)}`);
      if (!isFloat(context.type(0)) || !isFloat(context.type(1)))
        throw context.typeError('the input and the scale must be float');
      checkZero(context, type);
      quantizedSplit(context);
      return [{ type, dims: context.dims(0) }];
    },
    evaluate: (context, [output]) => {
      const { type } = output as TypeAndDims;
      const [lowest, highest] = ranges[type] ?? [0, 0];
      const x = readElements(context.known(0)) as Float32Array;
      const y = createElements(type, x.length) as Int8Array;
      eachElement(context, (i, scale, zero) => {
        const value = roundHalfToEven(Math.fround((x[i] ?? 0) / scale)) + zero;
        y[i] = value > lowest ? Math.min(value, highest) : lowest; // NaN is the lowest
      });
      return [toBytes(type, y)];
    },
  },
  DequantizeLinear: {
    infer: (context) => {
      const type = context.type(0);
      if (ranges[type] === undefined && type !== 'int32') throw context.unsupported(`dequantizing ${type}`);
      if (!isFloat(context.type(1))) throw context.typeError('the scale must be float');
      checkZero(context, type);
      quantizedSplit(context);
      return [{ type: context.type(1), dims: context.dims(0) }];
    },
    evaluate: (context, [output]) => {
      const { type } = output as TypeAndDims;
      const x = readElements(context.known(0)) as Int8Array;
      const y = createElements(type, x.length) as Float32Array;
      eachElement(context, (i, scale, zero) => {
        y[i] = Math.fround((x[i] ?? 0) - zero) * scale;
      });
      return [toBytes(type, y)];
    },
  },
};
