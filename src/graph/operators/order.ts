import { elementCount } from '../../tensor.js';
import { intAttribute } from '../attributes.js';
import { createElements, int64List, readElements, readNumbers, toBytes } from '../data.js';
import type { OperatorContext, OperatorDefinition, OperatorFamily, TypeAndDims } from './definition.js';

/** The axis an operator works along, and dims before, at and after it multiplied together. */
function lines(
  context: OperatorContext,
  fallback: number,
): { axis: number; outer: number; size: number; inner: number } {
  const dims = context.dims(0);
  const axis = context.normalizeAxis(intAttribute(context.node, 'axis', fallback), dims.length);
  return {
    axis,
    outer: elementCount(dims.slice(0, axis)),
    size: dims[axis] ?? 1,
    inner: elementCount(dims.slice(axis + 1)),
  };
}

function argExtreme(largest: boolean): OperatorDefinition {
  return {
    infer: (context) => {
      const { axis, size } = lines(context, 0);
      const dims = context.dims(0);
      if (size === 0) throw context.shapeError('nothing to choose from');
      const keep = intAttribute(context.node, 'keepdims', 1) !== 0;
      return [{ type: 'int64', dims: keep ? dims.with(axis, 1) : dims.toSpliced(axis, 1) }];
    },
    evaluate: (context) => {
      const { outer, size, inner } = lines(context, 0);
      const last = intAttribute(context.node, 'select_last_index', 0) !== 0;
      const x = readNumbers(context.known(0));
      const places = Array.from({ length: outer * inner }, (_, line) => {
        const start = Math.floor(line / inner) * size * inner + (line % inner);
        let best = 0;
        for (let i = 1; i < size; i++) {
          const [value = 0, record = 0] = [x[start + i * inner], x[start + best * inner]];
          if ((largest ? value > record : value < record) || (last && value === record)) best = i;
        }
        return best;
      });
      return [int64List(places).bytes];
    },
  };
}

/** Operators along one axis whose results depend on the order of its elements. */
export const orders: OperatorFamily = {
  ArgMax: argExtreme(true),
  ArgMin: argExtreme(false),
  TopK: {
    infer: (context) => {
      const { axis, size } = lines(context, -1);
      const [k = -1, ...others] = context.numbers(1);
      if (others.length > 0 || k < 0 || k > size) throw context.shapeError(`no ${k} of ${size} elements`);
      const dims = context.dims(0).with(axis, k);
      return [
        { type: context.type(0), dims },
        { type: 'int64', dims },
      ];
    },
  },
  CumSum: {
    infer: (context) => {
      const [axis = 0] = context.numbers(1);
      context.normalizeAxis(axis, context.dims(0).length);
      return [context.input(0)];
    },
    evaluate: (context, [output]) => {
      const { type, dims } = output as TypeAndDims;
      const axis = context.normalizeAxis(context.numbers(1)[0] ?? 0, dims.length);
      const [size, inner] = [dims[axis] ?? 1, elementCount(dims.slice(axis + 1))];
      const exclusive = intAttribute(context.node, 'exclusive', 0) !== 0;
      const reverse = intAttribute(context.node, 'reverse', 0) !== 0;
      const x = readElements(context.known(0)) as Float64Array;
      const y = createElements(type, x.length) as Float64Array;
      const zero = (typeof x[0] === 'bigint' ? 0n : 0) as number;
      for (let line = 0; line < x.length / Math.max(size, 1); line++) {
        const start = Math.floor(line / inner) * size * inner + (line % inner);
        let sum = zero;
        for (let step = 0; step < size; step++) {
          const at = start + (reverse ? size - 1 - step : step) * inner;
          const next = sum + (x[at] ?? zero);
          y[at] = exclusive ? sum : next;
          sum = next;
        }
      }
      return [toBytes(type, y)];
    },
  },
};
