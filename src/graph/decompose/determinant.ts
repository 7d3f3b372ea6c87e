import { intValue } from '../attributes.js';
import { inWords } from './activations.js';
import type { DecompositionFamily } from './definition.js';

/** Rows of the largest matrix: each one becomes a dozen nodes. */
const mostRows = 64;

export const determinants: DecompositionFamily = {
  /** Gaussian elimination with partial pivoting, one column after the other, all matrices at once. */
  Det: inWords((w, x, context) => {
    const dims = context.dims(0);
    const [rows = 0, columns = 0] = dims.slice(-2);
    if (dims.length < 2 || rows !== columns) throw context.shapeError('the last two axes need one size');
    if (rows > mostRows) throw context.unsupported(`matrices of more than ${mostRows} rows`);
    const batch = dims.slice(0, -2).reduce((product, dim) => product * dim, 1);
    let rest = w.reshape(x, [batch, rows, rows]);
    let determinant = w.filled(1, [batch, 1, 1], x);
    for (let size = rows; size > 0; size--) {
      const largest = w.op('ArgMax', [w.op('Abs', [w.slice(rest, 2, 0, 1)])], {
        axis: intValue(1),
        keepdims: intValue(1),
      });
      const index = w.expand(largest, [batch, 1, size]);
      const pivotRow = w.op('GatherElements', [rest, index], { axis: intValue(1) });
      const pivot = w.slice(pivotRow, 2, 0, 1);
      const stays = w.op('Equal', [largest, w.scalar(0, largest)]);
      const sign = w.where(stays, w.scalar(1, x), w.scalar(-1, x));
      determinant = w.mul(determinant, w.mul(pivot, sign));
      if (size === 1) break;
      // The first row takes the place of the pivot's, and then the first place goes.
      const places = w.constant('int64', [1, size, 1], [...Array(size).keys()]);
      const swapped = w.where(w.op('Equal', [places, largest]), w.slice(rest, 1, 0, 1), rest);
      const below = w.slice(swapped, 1, 1, size);
      // Where all of a column is zero the determinant is, whatever becomes of the rest.
      const singular = w.op('Equal', [pivot, w.scalar(0, x)]);
      const factors = w.div(w.slice(below, 2, 0, 1), w.where(singular, w.scalar(1, x), pivot));
      rest = w.sub(w.slice(below, 2, 1, size), w.mul(factors, w.slice(pivotRow, 2, 1, size)));
    }
    return w.reshape(determinant, dims.slice(0, -2));
  }),
};
