import { bytesPerElement } from '../../tensor.js';
import { intAttribute } from '../attributes.js';
import { createElements, isWide, readElements, toBytes } from '../data.js';
import { describeTypeCode, typeOfCode } from '../type_codes.js';
import type { OperatorFamily, TypeAndDims } from './definition.js';
import { broadcastDims, broadcastStrides, walk } from './strided.js';

/** Operators that choose or convert elements. */
export const selections: OperatorFamily = {
  Not: {
    infer: (context) => {
      if (context.type(0) !== 'bool') throw context.typeError('the input must be bool');
      return [context.input(0)];
    },
    evaluate: (context) => [context.known(0).bytes.map((value) => (value === 0 ? 1 : 0))],
  },
  Where: {
    infer: (context) => {
      if (context.type(0) !== 'bool') throw context.typeError('the condition must be bool');
      if (context.type(1) !== context.type(2)) throw context.typeError('the two choices differ in type');
      const choices = broadcastDims(context.dims(1), context.dims(2));
      const dims = choices && broadcastDims(context.dims(0), choices);
      if (dims === undefined) throw context.shapeError('the inputs do not broadcast');
      return [{ type: context.type(1), dims }];
    },
    evaluate: (context, [output]) => {
      const { type, dims } = output as TypeAndDims;
      const width = bytesPerElement[type];
      const [condition, yes, no] = [0, 1, 2].map((i) => context.known(i).bytes) as [
        Uint8Array,
        Uint8Array,
        Uint8Array,
      ];
      const target = new Uint8Array(dims.reduce((product, dim) => product * dim, width));
      const strides = [0, 1, 2].map((i) => broadcastStrides(context.dims(i), dims));
      walk(dims, strides, (position, [c = 0, y = 0, n = 0]) => {
        const [source, offset] = condition[c] ? [yes, y] : [no, n];
        for (let i = 0; i < width; i++) target[position * width + i] = source[offset * width + i] ?? 0;
      });
      return [target];
    },
  },
  Cast: {
    infer: (context) => {
      const code = intAttribute(context.node, 'to', 0);
      const type = typeOfCode.get(code);
      if (type === undefined)
        throw context.unsupported(`the type ${describeTypeCode(code)} is not one espalier stores`);
      return [{ type, dims: context.dims(0) }];
    },
    isIdentity: (context, [output]) => output?.type === context.type(0),
    evaluate: (context, [output]) => {
      const { type } = output as TypeAndDims;
      const source = readElements(context.known(0));
      const target = createElements(type, source.length);
      // Values a type cannot hold are undefined in ONNX: integers wrap here, infinities and NaN become 0.
      if (type === 'bool') {
        source.forEach((value: number | bigint, i: number) => {
          (target as Uint8Array)[i] = value === 0 || value === 0n ? 0 : 1;
        });
      } else if (isWide(type)) {
        source.forEach((value: number | bigint, i: number) => {
          const whole =
            typeof value === 'bigint' ? value : Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n;
          (target as BigInt64Array)[i] = whole;
        });
      } else {
        const narrow = type === 'int32' || type === 'int16' || type === 'int8';
        const unsigned = type === 'uint32' || type === 'uint16' || type === 'uint8';
        source.forEach((value: number | bigint, i: number) => {
          // A wide integer loses its upper bits, not its lower ones, on the way to a narrow integer.
          const bits = typeof value === 'bigint' && (narrow || unsigned) ? BigInt.asIntN(32, value) : value;
          (target as Float64Array)[i] = Number(bits);
        });
      }
      return [toBytes(type, target)];
    },
  },
};
