import { intAttribute } from '../attributes.js';
import type { OperatorFamily } from './definition.js';
import { broadcastDims } from './strided.js';

/** Matrix products. */
export const products: OperatorFamily = {
  MatMul: {
    infer: (context) => {
      const a = context.dims(0);
      const b = context.dims(1);
      if (context.type(0) !== context.type(1)) throw context.typeError('the factors differ in type');
      if (a.length === 0 || b.length === 0) throw context.shapeError('the factors need at least one axis');
      // As numpy.matmul: a vector gets an axis of 1, which the result loses again.
      const left = a.length === 1 ? [1, ...a] : a;
      const right = b.length === 1 ? [...b, 1] : b;
      if (left.at(-1) !== right.at(-2))
        throw context.shapeError(`inner dims ${left.at(-1)} and ${right.at(-2)} differ`);
      const batch = broadcastDims(left.slice(0, -2), right.slice(0, -2));
      if (batch === undefined) throw context.shapeError('the batch dims do not broadcast');
      const rows = a.length === 1 ? [] : left.slice(-2, -1);
      const columns = b.length === 1 ? [] : right.slice(-1);
      return [{ type: context.type(0), dims: [...batch, ...rows, ...columns] }];
    },
  },
  Gemm: {
    infer: (context) => {
      const a = context.dims(0);
      const b = context.dims(1);
      if (a.length !== 2 || b.length !== 2) throw context.shapeError('the factors need two axes');
      if (context.type(0) !== context.type(1)) throw context.typeError('the factors differ in type');
      const [rows = 0, left = 0] = intAttribute(context.node, 'transA', 0) === 0 ? a : [a[1], a[0]];
      const [right = 0, columns = 0] = intAttribute(context.node, 'transB', 0) === 0 ? b : [b[1], b[0]];
      if (left !== right) throw context.shapeError(`inner dims ${left} and ${right} differ`);
      const dims = [rows, columns];
      if (context.has(2) && broadcastDims(context.dims(2), dims)?.join() !== dims.join()) {
        throw context.shapeError(`the third input does not broadcast to [${dims.join(', ')}]`);
      }
      return [{ type: context.type(0), dims }];
    },
  },
};
