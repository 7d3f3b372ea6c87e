import { elementCount } from '../../tensor.js';
import { intAttribute } from '../attributes.js';
import type { OperatorContext, OperatorDefinition, OperatorFamily } from './definition.js';

/** An operator that gives the same elements in the same order other dims. */
function relabel(dimsOf: (context: OperatorContext) => readonly number[]): OperatorDefinition {
  return {
    infer: (context) => [{ type: context.type(0), dims: dimsOf(context) }],
    isIdentity: (context, [output]) => output?.dims.join() === context.dims(0).join(),
    evaluate: (context) => [context.known(0).bytes],
  };
}

/** Operators that move no element: the result is the input's bytes. */
export const reshapes: OperatorFamily = {
  Identity: relabel((context) => context.dims(0)),
  Reshape: relabel(reshapedDims),
  Flatten: relabel((context) => {
    const dims = context.dims(0);
    const declared = intAttribute(context.node, 'axis', 1);
    // Unlike other axes, Flatten's may be the rank itself.
    const axis = declared === dims.length ? declared : context.normalizeAxis(declared, dims.length);
    return [elementCount(dims.slice(0, axis)), elementCount(dims.slice(axis))];
  }),
  Squeeze: relabel((context) => {
    const dims = context.dims(0);
    const axes = context.has(1)
      ? context.normalizeAxes(context.numbers(1), dims.length)
      : dims.flatMap((dim, axis) => (dim === 1 ? [axis] : []));
    const wide = axes.find((axis) => dims[axis] !== 1);
    if (wide !== undefined) throw context.shapeError(`axis ${wide} has ${dims[wide]} elements, not 1`);
    return dims.filter((_, axis) => !axes.includes(axis));
  }),
  Unsqueeze: relabel((context) => {
    const declared = context.numbers(1);
    const rank = context.dims(0).length + declared.length;
    const axes = new Set(context.normalizeAxes(declared, rank));
    const rest = [...context.dims(0)];
    return Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (rest.shift() ?? 1)));
  }),
};

/** 0 copies a dim (unless `allowzero`), one -1 takes what is left. */
function reshapedDims(context: OperatorContext): number[] {
  const dims = context.dims(0);
  const count = elementCount(dims);
  const wanted = context.numbers(1);
  const allowZero = intAttribute(context.node, 'allowzero', 0) !== 0;
  const copied = wanted.map((dim, axis) => {
    if (dim !== 0 || allowZero) return dim;
    const own = dims[axis];
    if (own === undefined) throw context.shapeError(`the 0 at position ${axis} has no dim to copy`);
    return own;
  });
  const open = copied.indexOf(-1);
  const known = elementCount(copied.filter((_, axis) => axis !== open));
  const result = copied.map((dim, axis) => (axis === open ? (known === 0 ? 0 : count / known) : dim));
  if (result.some((dim) => !Number.isSafeInteger(dim) || dim < 0) || elementCount(result) !== count) {
    throw context.shapeError(`[${wanted.join(', ')}] does not hold the ${count} elements`);
  }
  return result;
}
