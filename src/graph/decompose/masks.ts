import { elementCount } from '../../tensor.js';
import { intAttribute, intsAttribute, intValue } from '../attributes.js';
import type { OperatorContext } from '../operators/definition.js';
import { describeTypeCode, typeOfCode } from '../type_codes.js';
import { inWords } from './activations.js';
import { type DecompositionFamily, Words } from './definition.js';

/** Operators that choose elements by their position: masks and indices are constants once dims are known. */
export const masks: DecompositionFamily = {
  Trilu: inWords((w, x, context) => {
    const dims = context.dims(0);
    if (dims.length < 2) throw context.shapeError('the input needs at least 2 axes');
    const [rows = 0, columns = 0] = dims.slice(-2);
    const upper = intAttribute(context.node, 'upper', 1) !== 0;
    const k = context.has(1) ? (context.numbers(1)[0] ?? 0) : 0;
    const kept = Array.from({ length: rows * columns }, (_, i) => {
      const distance = (i % columns) - Math.floor(i / columns) - k;
      return Number(upper ? distance >= 0 : distance <= 0);
    });
    return w.where(w.constant('bool', [rows, columns], kept), x, w.scalar(0, x));
  }),
  EyeLike: (context, decomposer) => {
    const dims = context.dims(0);
    const [rows = 0, columns = 0] = dims;
    if (dims.length !== 2) throw context.shapeError('the input needs 2 axes');
    const code = intAttribute(context.node, 'dtype', undefined);
    const type = code === undefined ? context.type(0) : typeOfCode.get(code);
    if (type === undefined) throw context.unsupported(`the type ${describeTypeCode(code ?? 0)}`);
    const k = intAttribute(context.node, 'k', 0);
    const ones = Array.from({ length: rows * columns }, (_, i) =>
      Number((i % columns) - Math.floor(i / columns) === k),
    );
    return [new Words(decomposer).constant(type, dims, ones)];
  },
  OneHot: inWords((w, indices, context) => {
    const depth = context.anyNumbers(1)[0] ?? 0;
    if (!(depth >= 1)) throw context.shapeError(`a depth of ${depth}`);
    const dims = context.dims(0);
    const axis = context.normalizeAxis(intAttribute(context.node, 'axis', -1), dims.length + 1);
    const whole = context.type(0) === 'int64' ? indices : w.cast(indices, 'int64');
    const negative = w.op('Less', [whole, w.scalar(0, whole)]);
    const counted = w.where(negative, w.add(whole, w.scalar(depth, whole)), whole);
    const apart = w.reshape(counted, dims.toSpliced(axis, 0, 1));
    const places = w.constant(
      'int64',
      [depth, ...new Array<number>(dims.length - axis).fill(1)],
      [...Array(depth).keys()],
    );
    const value = context.node.inputs[2] ?? '';
    const choice = (i: number) => w.reshape(w.slice(value, 0, i, i + 1), []);
    return w.where(w.op('Equal', [apart, places]), choice(1), choice(0));
  }),
  /** Row (t, b) of the output is row (length[b] - 1 - t, b) of the input where t < length[b]. */
  ReverseSequence: inWords((w, x, context) => {
    const dims = context.dims(0);
    const timeAxis = context.normalizeAxis(intAttribute(context.node, 'time_axis', 0), dims.length);
    const batchAxis = context.normalizeAxis(intAttribute(context.node, 'batch_axis', 1), dims.length);
    if (timeAxis + batchAxis !== 1) throw context.shapeError('time and batch need to be the first two axes');
    const [time = 0, batch = 0] = timeAxis === 0 ? dims : [dims[1], dims[0]];
    if (context.dims(1).join() !== String(batch)) throw context.shapeError(`lengths need dims [${batch}]`);
    const [timeFirst, along] = [
      timeAxis === 0,
      (size: number, axis: number) => (axis === 0 ? [size, 1] : [1, size]),
    ];
    const steps = w.constant('int64', along(time, timeAxis), [...Array(time).keys()]);
    const lengths = w.reshape(w.cast(context.node.inputs[1] ?? '', 'int64'), along(batch, batchAxis));
    const reversed = w.sub(w.sub(lengths, w.scalar(1, lengths)), steps);
    const places = w.where(w.op('Less', [steps, lengths]), reversed, steps);
    const images = w.constant('int64', along(batch, batchAxis), [...Array(batch).keys()]);
    const flat = timeFirst
      ? w.add(w.mul(places, w.scalar(batch, places)), images)
      : w.add(w.mul(images, w.scalar(time, images)), places);
    return w.gather(w.reshape(x, [time * batch, ...dims.slice(2)]), flat, 0);
  }),
  /** The places that MaxPool with indices took its values from; the rest is zero. */
  MaxUnpool: inWords((w, x, context) => {
    const [given, total] = [context.dims(0), unpooledDims(context)];
    const size = elementCount(total);
    const flat = w.op(
      'ScatterElements',
      [
        w.expand(w.scalar(0, x), [size]),
        w.reshape(context.node.inputs[1] ?? '', [elementCount(given)]),
        w.reshape(x, [elementCount(given)]),
      ],
      { axis: intValue(0) },
    );
    const plain = w.reshape(flat, total);
    if (!context.has(2)) return plain;
    const wanted = context.numbers(2);
    const after = total.map((dim, axis) => (wanted[axis] ?? 0) - dim);
    return w.op('Pad', [plain, w.list([...total.map(() => 0), ...after])]);
  }),
};

/** Dims before the pooling that MaxUnpool undoes, were there no rest. */
function unpooledDims(context: OperatorContext): number[] {
  const attribute = (name: string, fallback: number) => {
    const values = intsAttribute(context.node, name);
    return (i: number) => values?.[i] ?? fallback;
  };
  const [kernel, stride, pad] = [attribute('kernel_shape', 1), attribute('strides', 1), attribute('pads', 0)];
  const spatial = context.dims(0).length - 2;
  return context.dims(0).map((dim, axis) => {
    if (axis < 2) return dim;
    const i = axis - 2;
    return (dim - 1) * stride(i) + kernel(i) - pad(i) - pad(i + spatial);
  });
}
