import { choiceAttribute, intAttribute, intValue } from '../attributes.js';
import type { OperatorContext } from '../operators/definition.js';
import { inWords } from './activations.js';
import type { DecompositionFamily, Words } from './definition.js';

/** Operators that know where things are: angles by position, grids, caches that are written at a position. */
export const positions: DecompositionFamily = {
  /** J. Su et al., "RoFormer", 2021: pairs of values turned by the angle of their position. */
  RotaryEmbedding: inWords((w, x, context) => {
    const { node } = context;
    const dims = context.dims(0);
    const isFlat = dims.length === 3;
    if (!isFlat && dims.length !== 4) throw context.shapeError('the input needs 3 or 4 axes');
    const heads = isFlat ? intAttribute(node, 'num_heads', 0) : (dims[1] ?? 0);
    const [batch = 0, tokens = 0] = isFlat ? dims : [dims[0], dims[2]];
    const width = dims.at(-1) ?? 0;
    if (isFlat && (heads < 1 || width % heads !== 0))
      throw context.shapeError(`${width} values are no ${heads} heads (num_heads)`);
    const apart = isFlat ? w.reshape(x, [batch, tokens, heads, width / heads]) : x;
    const size = w.dims(apart)[3] ?? 0;
    const turned = intAttribute(node, 'rotary_embedding_dim', 0) || size;
    if (turned % 2 !== 0 || turned > size)
      throw context.shapeError(`${turned} of ${size} values do not turn`);
    const angles = (index: number) =>
      anglesOf(w, context, index, { batch, tokens, half: turned / 2, isFlat });
    const [cos, sin] = [angles(1), angles(2)];
    const interleaved = intAttribute(node, 'interleaved', 0) !== 0;
    const part = (i: number) =>
      interleaved
        ? w.slice(apart, 3, i, turned, 2)
        : w.slice(apart, 3, (i * turned) / 2, ((i + 1) * turned) / 2);
    const [a, b] = [part(0), part(1)];
    const [real, imaginary] = [w.sub(w.mul(cos, a), w.mul(sin, b)), w.add(w.mul(sin, a), w.mul(cos, b))];
    const rotated = interleaved ? interleave(w, real, imaginary) : concat(w, [real, imaginary], 3);
    const whole = turned === size ? rotated : concat(w, [rotated, w.slice(apart, 3, turned, size)], 3);
    return isFlat ? w.reshape(whole, dims) : whole;
  }),
  /** Places in [-1, 1] of each output pixel, the last axis first, by the affine map theta. */
  AffineGrid: inWords((w, theta, context) => {
    const [batch = 0, , ...sizes] = context.numbers(1);
    const axes = sizes.length;
    const expected = [batch, axes, axes + 1].join();
    if ((axes !== 2 && axes !== 3) || context.dims(0).join() !== expected)
      throw context.shapeError('theta needs dims [n, 2, 3] for 2 spatial axes, [n, 3, 4] for 3');
    const corners = intAttribute(context.node, 'align_corners', 0) !== 0;
    const place = (i: number, size: number) => {
      if (corners) return size === 1 ? 0 : -1 + (2 * i) / (size - 1);
      return -1 + (2 * i + 1) / size;
    };
    let points: number[][] = [[]];
    for (const size of sizes)
      points = points.flatMap((point) => Array.from({ length: size }, (_, i) => [place(i, size), ...point]));
    const grid = w.constant(
      context.type(0),
      [1, points.length, axes + 1],
      points.flatMap((point) => [...point, 1]),
    );
    return w.reshape(w.op('MatMul', [grid, w.transpose(theta, [0, 2, 1])]), [batch, ...sizes, axes]);
  }),
  /** A cache of fixed length with the update at a position of its own in each image; see docs/decoding.md. */
  TensorScatter: inWords((w, cache, context) => {
    const [dims, update] = [context.dims(0), context.dims(1)];
    const axis = context.normalizeAxis(intAttribute(context.node, 'axis', -2), dims.length);
    const [batch = 0, length = 0, count = 0] = [dims[0], dims[axis], update[axis]];
    if (axis === 0 || dims.with(axis, 0).join() !== update.map((dim, i) => (i === axis ? 0 : dim)).join())
      throw context.shapeError(
        'the update may differ from the cache along the axis alone, which is not the first',
      );
    if (count > length)
      throw context.shapeError(`${count} positions are more than the ${length} of the cache`);
    const product = (part: readonly number[]) => part.reduce((all, dim) => all * dim, 1);
    const [outer, inner] = [product(dims.slice(1, axis)), product(dims.slice(axis + 1))];
    const all = [batch, outer, count];
    const index = (of: (image: number, row: number, step: number) => number) =>
      w.constant(
        'int64',
        all,
        Array.from({ length: product(all) }, (_, i) =>
          of(Math.floor(i / (outer * count)), Math.floor(i / count) % outer, i % count),
        ),
      );
    let steps = index((_image, _row, step) => step);
    if (context.has(2)) {
      if (context.dims(2).join() !== String(batch))
        throw context.shapeError(`write_indices need dims [${batch}]`);
      const first = w.reshape(w.cast(context.node.inputs[2] ?? '', 'int64'), [batch, 1, 1]);
      steps = w.add(steps, first);
    }
    if (modeOf(context) === 'circular') steps = w.op('Mod', [steps, w.scalar(length, steps)]);
    const rows = index((image, row) => image * outer + row);
    const column = (x: string) => w.reshape(x, [product(all), 1]);
    const scattered = w.op('ScatterND', [
      w.reshape(cache, [batch * outer, length, inner]),
      concat(w, [column(rows), column(steps)], 1),
      w.reshape(context.node.inputs[1] ?? '', [product(all), inner]),
    ]);
    return w.reshape(scattered, dims);
  }),
};

function modeOf(context: OperatorContext): string {
  return choiceAttribute(context.node, 'mode', ['linear', 'circular'], 'linear');
}

interface Positions {
  readonly batch: number;
  readonly tokens: number;
  readonly half: number;
  readonly isFlat: boolean;
}

/** The cosines or sines of every token, with an axis for heads where the input has it. */
function anglesOf(
  w: Words,
  context: OperatorContext,
  index: number,
  { batch, tokens, half, isFlat }: Positions,
): string {
  const table = context.node.inputs[index] ?? '';
  const hasPositions = context.has(3);
  const found = hasPositions ? w.gather(table, context.node.inputs[3] ?? '', 0) : table;
  const expected = [batch, tokens, half];
  if (w.dims(found).join() !== expected.join())
    throw context.shapeError(`input ${index} needs an angle for each of [${expected.join(', ')}]`);
  return w.reshape(found, isFlat ? [batch, tokens, 1, half] : [batch, 1, tokens, half]);
}

function concat(w: Words, parts: readonly string[], axis: number): string {
  return w.op('Concat', parts, { axis: intValue(axis) });
}

/** The values of a and b in turns along the last axis. */
function interleave(w: Words, a: string, b: string): string {
  const dims = w.dims(a);
  const apart = [...dims, 1];
  return w.reshape(concat(w, [w.reshape(a, apart), w.reshape(b, apart)], dims.length), [
    ...dims.slice(0, -1),
    2 * (dims.at(-1) ?? 0),
  ]);
}
