import { elementCount } from '../../tensor.js';
import { floatAttribute, intAttribute } from '../attributes.js';
import { isFloat } from '../data.js';
import type { OperatorContext } from '../operators/definition.js';
import { inWords } from './activations.js';
import { type Decomposition, type DecompositionFamily, hasKernels, Words } from './definition.js';

/** Axes that a reduction folds, and whether it keeps them. */
function reduction(context: OperatorContext): { axes: number[]; keep: boolean } {
  const rank = context.dims(0).length;
  const given = context.has(1) ? context.normalizeAxes(context.numbers(1), rank) : [];
  const none = intAttribute(context.node, 'noop_with_empty_axes', 0) !== 0;
  const axes = given.length > 0 || none ? given : [...Array(rank).keys()];
  return { axes, keep: intAttribute(context.node, 'keepdims', 1) !== 0 };
}

/** Means and roots of types other than float32: a fold, and what is done to its result. */
function folded(finish: (w: Words, x: string, context: OperatorContext) => string): Decomposition {
  return (context, decomposer) => {
    const folds = context.constant(0) !== undefined; // beforehand, in double precision
    if (folds || hasKernels(context.type(0))) return undefined;
    return [finish(new Words(decomposer), context.node.inputs[0] ?? '', context)];
  };
}

const softmax =
  (logarithm: boolean): Decomposition =>
  (context, decomposer) => {
    const { type, dims } = context.input(0);
    if (hasKernels(type)) return undefined;
    const w = new Words(decomposer);
    const axis = context.normalizeAxis(intAttribute(context.node, 'axis', -1), dims.length);
    const [x = ''] = context.node.inputs;
    const shifted = w.sub(x, w.reduce('ReduceMax', x, [axis]));
    const power = w.op('Exp', [shifted]);
    const sum = w.reduce('ReduceSum', power, [axis]);
    return [logarithm ? w.sub(shifted, w.op('Log', [sum])) : w.div(power, sum)];
  };

export const reductions: DecompositionFamily = {
  ReduceLogSum: inWords((w, x, context) => {
    const { axes, keep } = reduction(context);
    return w.op('Log', [w.reduce('ReduceSum', x, axes, keep)]);
  }),
  /** The largest element goes ahead, so that no power overflows, unless it is infinite itself. */
  ReduceLogSumExp: inWords((w, x, context) => {
    const { axes, keep } = reduction(context);
    if (axes.length === 0) return x;
    const largest = w.reduce('ReduceMax', x, axes);
    const infinite = w.op('IsInf', [largest]);
    const shift = w.where(infinite, w.scalar(0, largest), largest);
    const sum = w.reduce('ReduceSum', w.op('Exp', [w.sub(x, shift)]), axes);
    const result = w.add(w.op('Log', [sum]), shift);
    const kept = context.dims(0).filter((_, axis) => !axes.includes(axis));
    return keep ? result : w.reshape(result, kept);
  }),
  ReduceMean: folded((w, x, context) => {
    const { axes, keep } = reduction(context);
    const count = elementCount(axes.map((axis) => context.dims(0)[axis] ?? 1));
    return w.div(w.reduce('ReduceSum', x, axes, keep), w.scalar(count, x));
  }),
  ReduceL2: folded((w, x, context) => {
    const { axes, keep } = reduction(context);
    const wide = isFloat(context.type(0)) ? x : w.cast(x, 'float64');
    const root = w.op('Sqrt', [w.reduce('ReduceSumSquare', wide, axes, keep)]);
    return w.cast(root, context.type(0));
  }),
  Softmax: softmax(false),
  LogSoftmax: softmax(true),
  /** alpha * op(a) * op(b) + beta * c, for types without a kernel. */
  Gemm: folded((w, a, { node }) => {
    const [, b = '', c = ''] = node.inputs;
    const turned = (name: string, attribute: string) =>
      intAttribute(node, attribute, 0) === 0 ? name : w.transpose(name, [1, 0]);
    const scaled = (name: string, attribute: string) => {
      const factor = floatAttribute(node, attribute, 1);
      return factor === 1 ? name : w.mul(name, w.scalar(factor, name));
    };
    const product = scaled(w.op('MatMul', [turned(a, 'transA'), turned(b, 'transB')]), 'alpha');
    return c === '' ? product : w.add(product, scaled(c, 'beta'));
  }),
};
