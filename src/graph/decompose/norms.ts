import { elementCount } from '../../tensor.js';
import {
  floatAttribute,
  floatValue,
  intAttribute,
  intsAttribute,
  intsValue,
  intValue,
} from '../attributes.js';
import type { OperatorContext } from '../operators/definition.js';
import { inWords } from './activations.js';
import { type DecompositionFamily, hasKernels, Words } from './definition.js';

const epsilonOf = ({ node }: OperatorContext, fallback = 1e-5) => floatAttribute(node, 'epsilon', fallback);

/** Axes from `axis` to the last. */
const axesFrom = (context: OperatorContext, axis: number) =>
  context.dims(0).flatMap((_, i) => (i >= axis ? [i] : []));

/** (x - mean) / sqrt(variance + epsilon) over axes, with the mean and the inverse deviation. */
function standardize(w: Words, x: string, axes: readonly number[], epsilon: number) {
  const mean = w.reduce('ReduceMean', x, axes);
  const centered = w.sub(x, mean);
  const variance = w.reduce('ReduceMean', w.mul(centered, centered), axes);
  const inverse = w.op('Reciprocal', [w.op('Sqrt', [w.add(variance, w.scalar(epsilon, x))])]);
  return { normalized: w.mul(centered, inverse), mean, inverse };
}

/** The channels of [batch, channels, ...] scaled and shifted by values [channels]. */
function perChannel(w: Words, x: string, scale: string, bias: string): string {
  const dims = w.dims(x).map((dim, axis) => (axis === 1 ? dim : 1));
  const along = dims.slice(1);
  return w.add(w.mul(x, w.reshape(scale, along)), w.reshape(bias, along));
}

/** x [batch, channels, ...] normalised in `groups` groups of each image: rows of a LayerNormalization. */
function normalizeGroups(w: Words, x: string, groups: number, epsilon: number): string {
  const dims = w.dims(x);
  const [batch = 0] = dims;
  const size = elementCount(dims.slice(1)) / groups;
  const rows = w.reshape(x, [batch, groups, size]);
  const ones = w.filled(1, [size], x);
  const attributes = { axis: intValue(-1), epsilon: floatValue(epsilon) };
  return w.reshape(w.op('LayerNormalization', [rows, ones], attributes), dims);
}

function checkParameters(context: OperatorContext, size: number): void {
  for (const i of [1, 2]) {
    if (context.dims(i).join() !== String(size))
      throw context.shapeError(`scale and bias need dims [${size}]`);
  }
}

export const norms: DecompositionFamily = {
  InstanceNormalization: inWords((w, x, context) => {
    const [, channels = 0, ...spatial] = context.dims(0);
    if (spatial.length === 0) throw context.shapeError('the input needs at least 3 axes');
    checkParameters(context, channels);
    const [, scale = '', bias = ''] = context.node.inputs;
    return perChannel(w, normalizeGroups(w, x, channels, epsilonOf(context)), scale, bias);
  }),
  /** Until opset 21, scale and bias were those of groups. */
  GroupNormalization: inWords((w, x, context) => {
    const [, channels = 0] = context.dims(0);
    const groups = intAttribute(context.node, 'num_groups', 0);
    if (groups < 1 || channels % groups !== 0)
      throw context.shapeError(`${channels} channels are no ${groups} groups`);
    const perGroup = context.dims(1)[0] === groups && groups !== channels;
    checkParameters(context, perGroup ? groups : channels);
    const spread = (name: string) =>
      perGroup
        ? w.reshape(w.expand(w.reshape(name, [groups, 1]), [groups, channels / groups]), [channels])
        : name;
    const [, scale = '', bias = ''] = context.node.inputs;
    const normalized = normalizeGroups(w, x, groups, epsilonOf(context));
    return perChannel(w, normalized, spread(scale), spread(bias));
  }),
  RMSNormalization: inWords((w, x, context) => {
    const axis = context.normalizeAxis(intAttribute(context.node, 'axis', -1), context.dims(0).length);
    const square = w.reduce('ReduceMean', w.mul(x, x), axesFrom(context, axis));
    const root = w.op('Sqrt', [w.add(square, w.scalar(epsilonOf(context), x))]);
    return w.mul(w.div(x, root), context.node.inputs[1] ?? '');
  }),
  MeanVarianceNormalization: inWords((w, x, context) => {
    const declared = intsAttribute(context.node, 'axes') ?? [0, 2, 3];
    return standardize(w, x, context.normalizeAxes(declared, context.dims(0).length), 1e-9).normalized;
  }),
  /** The mean and the deviation are outputs, or the type has no kernel. */
  LayerNormalization: (context, decomposer) => {
    const { type, dims } = context.input(0);
    if (hasKernels(type) && context.node.outputs.length === 1) return undefined;
    const axis = context.normalizeAxis(intAttribute(context.node, 'axis', -1), dims.length);
    const w = new Words(decomposer);
    const [x = '', scale = '', bias = ''] = context.node.inputs;
    const { normalized, mean, inverse } = standardize(w, x, axesFrom(context, axis), epsilonOf(context));
    const scaled = w.mul(normalized, scale);
    const stashed = [mean, inverse].map((value) => w.cast(value, 'float32'));
    return [bias === '' ? scaled : w.add(scaled, bias), ...stashed];
  },
  /** Its kernel needs parameters that are known. */
  BatchNormalization: (context, decomposer) => {
    const known = [1, 2, 3, 4].every((i) => context.constant(i) !== undefined);
    if (known && hasKernels(context.type(0))) return undefined;
    const w = new Words(decomposer);
    const [x = '', ...parameters] = context.node.inputs;
    const [, channels = 1, ...spatial] = context.dims(0);
    const [scale = '', bias = '', mean = '', variance = ''] = parameters.map((name) =>
      w.reshape(name, context.dims(0).length === 1 ? [1] : [channels, ...spatial.map(() => 1)]),
    );
    const root = w.op('Sqrt', [w.add(variance, w.scalar(epsilonOf(context), variance))]);
    return [w.add(w.mul(w.div(w.sub(x, mean), root), scale), bias)];
  },
  /** Divides by a power of what the squares of the `size` channels around add up to. */
  LRN: inWords((w, x, context) => {
    const { node } = context;
    const size = intAttribute(node, 'size', 0);
    if (size < 1) throw context.shapeError(`a size of ${size}`);
    const [batch = 0, channels = 0, ...spatial] = context.dims(0);
    const squares = w.reshape(w.mul(x, x), [batch, 1, channels, elementCount(spatial)]);
    const before = Math.floor((size - 1) / 2);
    const mean = w.op('AveragePool', [squares], {
      kernel_shape: intsValue([size, 1]),
      pads: intsValue([before, 0, size - 1 - before, 0]),
      count_include_pad: intValue(1),
    });
    const scaled = w.mul(w.reshape(mean, context.dims(0)), w.scalar(floatAttribute(node, 'alpha', 1e-4), x));
    const base = w.add(scaled, w.scalar(floatAttribute(node, 'bias', 1), x));
    return w.div(x, w.op('Pow', [base, w.scalar(floatAttribute(node, 'beta', 0.75), x)]));
  }),
  /** Lines of zeros stay zeros, as in onnxruntime. */
  LpNormalization: inWords((w, x, context) => {
    const axis = context.normalizeAxis(intAttribute(context.node, 'axis', -1), context.dims(0).length);
    const p = intAttribute(context.node, 'p', 2);
    if (p !== 1 && p !== 2) throw context.unsupported(`a norm of p ${p}`);
    const norm = w.reduce(p === 1 ? 'ReduceL1' : 'ReduceL2', x, [axis]);
    const zero = w.op('Equal', [norm, w.scalar(0, norm)]);
    return w.div(x, w.where(zero, w.scalar(1, norm), norm));
  }),
};
