import { elementCount } from '../../tensor.js';
import { intAttribute, tensorAttribute } from '../attributes.js';
import { createElements, fromNumbers, int64List, isWide, readElements, toBytes } from '../data.js';
import type { OperatorContext, OperatorFamily, TypeAndDims } from './definition.js';

/** Operators that compute shapes, or values from shapes. */
export const shapeOperators: OperatorFamily = {
  Shape: {
    infer: (context) => [{ type: 'int64', dims: [shapePart(context).length] }],
    evaluate: (context) => [int64List(shapePart(context)).bytes],
    evaluatesFromDims: true,
  },
  Size: {
    infer: (context) => {
      context.input(0);
      return [{ type: 'int64', dims: [] }];
    },
    evaluate: (context) => [fromNumbers('int64', [], [elementCount(context.dims(0))]).bytes],
    evaluatesFromDims: true,
  },
  ConstantOfShape: {
    infer: (context) => {
      const dims = context.numbers(0);
      if (dims.some((dim) => dim < 0)) throw context.shapeError(`dims [${dims.join(', ')}] are negative`);
      return [{ type: fillValue(context).type, dims }];
    },
    evaluate: (context, [output]) => {
      const { bytes } = fillValue(context);
      const target = new Uint8Array(elementCount((output as TypeAndDims).dims) * bytes.length);
      if (bytes.some((byte) => byte !== 0))
        for (let i = 0; i < target.length; i += bytes.length) target.set(bytes, i);
      return [target];
    },
  },
  Range: {
    infer: (context) => {
      const type = context.type(0);
      if (context.type(1) !== type || context.type(2) !== type)
        throw context.typeError('the inputs differ in type');
      const [start, limit, delta] = [0, 1, 2].map((i) => {
        if (elementCount(context.dims(i)) !== 1) throw context.shapeError('the inputs must be scalars');
        return context.anyNumbers(i)[0] ?? 0;
      }) as [number, number, number];
      if (delta === 0) throw context.shapeError('a delta of 0');
      const count = Math.max(0, Math.ceil((limit - start) / delta));
      if (!Number.isFinite(count)) throw context.shapeError(`no range from ${start} to ${limit} by ${delta}`);
      return [{ type, dims: [count] }];
    },
    evaluate: (context, [output]) => {
      const { type, dims } = output as TypeAndDims;
      const target = createElements(type, dims[0] ?? 0);
      if (isWide(type)) {
        const [start, delta] = [0, 2].map((i) => readElements(context.known(i))[0]) as [bigint, bigint];
        for (let i = 0; i < target.length; i++) (target as BigInt64Array)[i] = start + BigInt(i) * delta;
      } else {
        const [start = 0, delta = 0] = [0, 2].map((i) => context.anyNumbers(i)[0]);
        for (let i = 0; i < target.length; i++) (target as Float64Array)[i] = start + i * delta;
      }
      return [toBytes(type, target)];
    },
  },
};

/** The dims that Shape gives: `start` and `end` clamp as a slice's do. */
function shapePart(context: OperatorContext): number[] {
  const dims = context.dims(0);
  const start = intAttribute(context.node, 'start', 0);
  return dims.slice(start, intAttribute(context.node, 'end', dims.length));
}

/** What ConstantOfShape fills with: one element, float32 0 by default. */
function fillValue(context: OperatorContext) {
  const value = tensorAttribute(context.node, 'value') ?? fromNumbers('float32', [1], [0]);
  if (elementCount(value.dims) !== 1) throw context.shapeError('the value must be one element');
  return value;
}
