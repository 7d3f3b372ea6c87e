import { floatAttribute, floatValue, intAttribute, intValue } from '../attributes.js';
import { isFloat } from '../data.js';
import type { OperatorContext } from '../operators/definition.js';
import { type Decomposer, type Decomposition, type DecompositionFamily, Words } from './definition.js';

/** A decomposition of an operator of one output: `build` writes it in words, x is the first input. */
export function inWords(build: (words: Words, x: string, context: OperatorContext) => string): Decomposition {
  return (context: OperatorContext, decomposer: Decomposer) => [
    build(new Words(decomposer), context.node.inputs[0] ?? '', context),
  ];
}

const float = ({ node }: OperatorContext, name: string, fallback: number) =>
  floatAttribute(node, name, fallback);

/** Elementwise functions made of simpler ones, as the specification defines them. */
export const activations: DecompositionFamily = {
  Celu: inWords((w, x, context) => {
    const alpha = w.scalar(float(context, 'alpha', 1), x);
    return w.mul(w.op('Elu', [w.div(x, alpha)], { alpha: floatValue(1) }), alpha);
  }),
  ThresholdedRelu: inWords((w, x, context) => {
    const above = w.op('Greater', [x, w.scalar(float(context, 'alpha', 1), x)]);
    return w.where(above, x, w.scalar(0, x));
  }),
  Shrink: inWords((w, x, context) => {
    const [bias, lambda] = [float(context, 'bias', 0), float(context, 'lambd', 0.5)];
    const below = w.op('Less', [x, w.scalar(-lambda, x)]);
    const above = w.op('Greater', [x, w.scalar(lambda, x)]);
    const inner = w.where(above, w.sub(x, w.scalar(bias, x)), w.scalar(0, x));
    return w.where(below, w.add(x, w.scalar(bias, x)), inner);
  }),
  Softsign: inWords((w, x) => w.div(x, w.add(w.op('Abs', [x]), w.scalar(1, x)))),
  Swish: inWords((w, x, context) => {
    const alpha = float(context, 'alpha', 1);
    return w.mul(x, w.op('Sigmoid', [alpha === 1 ? x : w.mul(x, w.scalar(alpha, x))]));
  }),
  /** 1 where the first of the largest elements along the axis is. */
  Hardmax: inWords((w, x, context) => {
    const dims = context.dims(0);
    const axis = context.normalizeAxis(intAttribute(context.node, 'axis', -1), dims.length);
    const size = dims[axis] ?? 1;
    const largest = w.op('ArgMax', [x], { axis: intValue(axis), keepdims: intValue(1) });
    const places = w.constant('int64', dims.map((_, i) => (i === axis ? size : 1)).slice(axis), [
      ...Array(size).keys(),
    ]);
    return w.cast(w.op('Equal', [largest, places]), context.type(0));
  }),
  IsNaN: inWords((w, x) => w.op('Not', [w.op('Equal', [x, x])])),
  IsInf: inWords((w, x, { node }) => {
    const [positive, negative] = ['detect_positive', 'detect_negative'].map(
      (name) => intAttribute(node, name, 1) !== 0,
    );
    const infinity = (sign: number) => w.scalar(sign * Number.POSITIVE_INFINITY, x);
    if (positive && negative) return w.op('Equal', [w.op('Abs', [x]), infinity(1)]);
    if (positive || negative) return w.op('Equal', [x, infinity(positive ? 1 : -1)]);
    return w.op('And', [w.op('Equal', [x, infinity(1)]), w.op('Equal', [x, infinity(-1)])]);
  }),
  Mean: inWords((w, x, { node }) => {
    const sum = node.inputs.slice(1).reduce(w.add, x);
    return node.inputs.length === 1 ? x : w.div(sum, w.scalar(node.inputs.length, x));
  }),
  /** Outside training, and with a ratio of 0, nothing is dropped. Only nodes whose mask is read, or the mode, come here. */
  Dropout: (context, decomposer) => {
    const trains = context.has(2) && context.anyNumbers(2)[0] !== 0;
    const ratio = context.has(1) ? context.anyNumbers(1)[0] : 0.5;
    if (trains && ratio !== 0) throw context.unsupported('training_mode');
    const w = new Words(decomposer);
    const dims = context.dims(0);
    return [context.node.inputs[0] ?? '', w.expand(w.constant('bool', [], [1]), dims)];
  },
  CastLike: inWords((w, x, context) => w.cast(x, context.type(1))),
  /** The bounds of Clip are kernel numbers only when they are known; integers have no such kernel. */
  Clip: (context, decomposer) => {
    const known = [1, 2].every((i) => !context.has(i) || context.constant(i) !== undefined);
    if (!context.has(1) && !context.has(2)) return [context.node.inputs[0] ?? ''];
    if (known && (isFloat(context.type(0)) || context.constant(0) !== undefined)) return undefined;
    checkBounds(context);
    const words = new Words(decomposer);
    const [x = '', low = '', high = ''] = context.node.inputs;
    const raised = low === '' ? x : words.op('Max', [x, low]);
    return [high === '' ? raised : words.op('Min', [raised, high])];
  },
};

function checkBounds(context: OperatorContext): void {
  for (const i of [1, 2]) {
    if (!context.has(i)) continue;
    if (context.dims(i).some((dim) => dim !== 1)) throw context.shapeError('the bounds must be scalars');
    if (context.type(i) !== context.type(0))
      throw context.typeError('the bounds must have the type of the input');
  }
}
