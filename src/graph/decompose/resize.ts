import { elementCount } from '../../tensor.js';
import { choiceAttribute, floatAttribute, intAttribute, intsAttribute } from '../attributes.js';
import { isFloat } from '../data.js';
import type { OperatorContext } from '../operators/definition.js';
import { operators } from '../operators/registry.js';
import { coordinateModes } from '../operators/resize.js';
import { inputPosition, nearestModes, nearestPosition } from '../operators/resize_positions.js';
import { type DecompositionFamily, hasKernels, Words } from './definition.js';
import { tapsOf } from './resize_taps.js';

/** Numbers of the largest matrix that maps one axis. */
const largestMap = 2 ** 24;

/** How one axis is resized. */
interface AxisMap {
  readonly axis: number;
  readonly size: number;
  readonly wanted: number;
  readonly scale: number;
  /** Input coordinate of each output position. */
  readonly coordinates: readonly number[];
}

/** Each resized axis is mapped by itself: nearest neighbours by a Gather, anything else by a product. */
export const resizes: DecompositionFamily = {
  Resize: (context, decomposer) => {
    const { node } = context;
    const mode = choiceAttribute(node, 'mode', ['nearest', 'linear', 'cubic'], 'nearest');
    const dims = operators.get('Resize')?.infer(context)[0]?.dims ?? [];
    if (hasKernel(context, mode, dims)) return undefined;
    if (mode !== 'nearest' && !isFloat(context.type(0)))
      throw context.unsupported(`${mode} interpolation of ${context.type(0)}`);
    const w = new Words(decomposer);
    const maps = axisMaps(context, dims);
    const resized = maps.reduce(
      (x, map) => (mode === 'nearest' ? takeNearest(w, x, map, context) : mix(w, x, map, context, mode)),
      node.inputs[0] ?? '',
    );
    return [maps.reduce((x, map) => extrapolate(w, x, map, context), resized)];
  },
};

const transformOf = ({ node }: OperatorContext) =>
  choiceAttribute(node, 'coordinate_transformation_mode', coordinateModes, 'half_pixel');

/** Whether the kernel over the last two axes takes the node. */
function hasKernel(context: OperatorContext, mode: string, to: readonly number[]): boolean {
  const dims = context.dims(0);
  const leading = dims.slice(0, -2).every((dim, axis) => dim === to[axis]);
  const plain = mode !== 'cubic' && intAttribute(context.node, 'antialias', 0) === 0;
  const empty = dims.includes(0) || to.includes(0);
  return (
    (plain && leading && hasKernels(context.type(0)) && transformOf(context) !== 'tf_crop_and_resize') ||
    empty
  );
}

function axisMaps(context: OperatorContext, to: readonly number[]): AxisMap[] {
  const dims = context.dims(0);
  const axes = context.normalizeAxes(intsAttribute(context.node, 'axes') ?? [...dims.keys()], dims.length);
  const scales = context.has(2) ? context.anyNumbers(2) : [];
  const transform = transformOf(context);
  const region = transform === 'tf_crop_and_resize' && context.has(1) ? context.anyNumbers(1) : [];
  return axes.flatMap((axis, i) => {
    const [size = 1, wanted = 1] = [dims[axis], to[axis]];
    const scale = scales[i] ?? wanted / size;
    const [start = 0, end = 1] = [region[i], region[i + axes.length]];
    if (size === wanted && scale === 1 && start === 0 && end === 1) return [];
    const coordinates = Array.from({ length: wanted }, (_, place) => {
      if (transform !== 'tf_crop_and_resize') return inputPosition(place, size, wanted, scale, transform);
      if (wanted === 1) return 0.5 * (start + end) * (size - 1);
      return start * (size - 1) + (place * (end - start) * (size - 1)) / (wanted - 1);
    });
    return [{ axis, size, wanted, scale, coordinates }];
  });
}

function takeNearest(w: Words, x: string, map: AxisMap, { node }: OperatorContext): string {
  const mode = choiceAttribute(node, 'nearest_mode', nearestModes, 'round_prefer_floor');
  const places = map.coordinates.map((coordinate) => nearestPosition(coordinate, map.size, mode));
  return w.gather(x, w.list(places), map.axis);
}

/** x [outer, size, inner] times a matrix [wanted, size] of weights. */
function mix(w: Words, x: string, map: AxisMap, context: OperatorContext, mode: 'linear' | 'cubic'): string {
  const { axis, size, wanted, scale, coordinates } = map;
  if (size * wanted > largestMap) throw context.unsupported(`resizing ${size} elements to ${wanted}`);
  const antialias = intAttribute(context.node, 'antialias', 0) !== 0;
  const weights = new Array<number>(wanted * size).fill(0);
  coordinates.forEach((coordinate, row) => {
    const taps = tapsOf(coordinate, size, {
      mode,
      spread: antialias ? Math.max(1, 1 / scale) : 1,
      a: floatAttribute(context.node, 'cubic_coeff_a', -0.75),
      excludeOutside: intAttribute(context.node, 'exclude_outside', 0) !== 0,
    });
    for (const { place, weight } of taps)
      weights[row * size + place] = (weights[row * size + place] ?? 0) + weight;
  });
  const dims = w.dims(x);
  const [outer, inner] = [elementCount(dims.slice(0, axis)), elementCount(dims.slice(axis + 1))];
  const matrix = w.constant(context.type(0), [wanted, size], weights);
  const to = dims.with(axis, wanted);
  if (inner === 1)
    return w.reshape(w.op('MatMul', [w.reshape(x, [outer, size]), w.transpose(matrix, [1, 0])]), to);
  return w.reshape(w.op('MatMul', [matrix, w.reshape(x, [outer, size, inner])]), to);
}

/** tf_crop_and_resize gives a value of its own to what lies outside the input. */
function extrapolate(w: Words, x: string, map: AxisMap, context: OperatorContext): string {
  if (transformOf(context) !== 'tf_crop_and_resize') return x;
  const outside = map.coordinates.map((at) => Number(at < 0 || at > map.size - 1));
  if (!outside.includes(1)) return x;
  const along = [
    map.wanted,
    ...w
      .dims(x)
      .slice(map.axis + 1)
      .map(() => 1),
  ];
  const value = w.scalar(floatAttribute(context.node, 'extrapolation_value', 0), x);
  return w.where(w.constant('bool', along, outside), value, x);
}
