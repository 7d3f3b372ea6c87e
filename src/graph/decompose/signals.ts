import { elementCount } from '../../tensor.js';
import { intAttribute } from '../attributes.js';
import type { OperatorContext } from '../operators/definition.js';
import { describeTypeCode, typeOfCode } from '../type_codes.js';
import { inWords } from './activations.js';
import { type Decomposition, type DecompositionFamily, Words } from './definition.js';

/** The type that a generator of numbers writes. */
function typeOf(context: OperatorContext, attribute: string) {
  const code = intAttribute(context.node, attribute, 1);
  const type = typeOfCode.get(code);
  if (type === undefined) throw context.unsupported(`the type ${describeTypeCode(code)}`);
  return type;
}

/** A sum of cosines over `size` samples: a constant. */
const cosineWindow =
  (coefficients: readonly number[]): Decomposition =>
  (context, decomposer) => {
    const [size = 0] = context.numbers(0);
    const period = intAttribute(context.node, 'periodic', 1) !== 0 ? size : size - 1;
    const samples = Array.from({ length: size }, (_, i) =>
      coefficients.reduce((sum, c, k) => sum + c * Math.cos((2 * Math.PI * k * i) / Math.max(period, 1)), 0),
    );
    return [new Words(decomposer).constant(typeOf(context, 'output_datatype'), [size], samples)];
  };

/** Real or complex [rows, length, parts] -> complex [rows, bins, 2]: the transform as two products. */
function transform(w: Words, x: string, bins: number, inverse: boolean): string {
  const [rows = 0, length = 0, parts = 1] = w.dims(x);
  const { type } = w.decomposer.valueOf(x);
  const scale = inverse ? 1 / length : 1;
  const angles = Array.from({ length: length * bins }, (_, i) => {
    const [sample, bin] = [Math.floor(i / bins), i % bins];
    return ((inverse ? 1 : -1) * 2 * Math.PI * ((sample * bin) % length)) / length;
  });
  const matrix = (numbers: readonly number[]) => w.constant(type, [length, bins], numbers);
  const cosines = matrix(angles.map((angle) => scale * Math.cos(angle)));
  const sines = matrix(angles.map((angle) => scale * Math.sin(angle)));
  const part = (i: number) => w.reshape(w.slice(x, 2, i, i + 1), [rows, length]);
  const times = (a: string, b: string) => w.op('MatMul', [a, b]);
  const [real, imaginary] = [part(0), parts === 2 ? part(1) : undefined];
  const re = times(real, cosines);
  const im = times(real, sines);
  const both =
    imaginary === undefined
      ? [re, im]
      : [w.sub(re, times(imaginary, sines)), w.add(im, times(imaginary, cosines))];
  return w.op(
    'Concat',
    both.map((value) => w.reshape(value, [rows, bins, 1])),
    {
      axis: { kind: 'int', value: 2n },
    },
  );
}

export const signals: DecompositionFamily = {
  HannWindow: cosineWindow([0.5, -0.5]),
  HammingWindow: cosineWindow([25 / 46, -21 / 46]),
  BlackmanWindow: cosineWindow([0.42, -0.5, 0.08]),
  /** x [batch, ..., length, ..., 1 or 2] along one axis, longer or shorter when a length is given. */
  DFT: inWords((w, x, context) => {
    const dims = context.dims(0);
    // The axis became an input in opset 20.
    const declared = context.has(2) ? (context.numbers(2)[0] ?? -2) : intAttribute(context.node, 'axis', -2);
    const axis = context.normalizeAxis(declared, dims.length);
    if (axis === dims.length - 1)
      throw context.shapeError('the last axis is that of real and imaginary parts');
    const length = context.has(1) ? (context.numbers(1)[0] ?? 0) : (dims[axis] ?? 0);
    const onesided = intAttribute(context.node, 'onesided', 0) !== 0;
    const order = [...dims.keys()].filter((i) => i !== axis && i !== dims.length - 1);
    const moved = w.transpose(x, [...order, axis, dims.length - 1]);
    const sized = resized(w, moved, dims.length - 2, length);
    const lead = order.map((i) => dims[i] ?? 1);
    const bins = onesided ? Math.floor(length / 2) + 1 : length;
    const inverse = intAttribute(context.node, 'inverse', 0) !== 0;
    const rows = w.reshape(sized, [elementCount(lead), length, dims.at(-1) ?? 1]);
    const result = w.reshape(transform(w, rows, bins, inverse), [...lead, bins, 2]);
    const back = [...dims.keys()].map((i) =>
      i === axis ? lead.length : i === dims.length - 1 ? lead.length + 1 : order.indexOf(i),
    );
    return w.transpose(result, back);
  }),
  /** signal [batch, length, 1 or 2] cut into frames, each times the window, and transformed. */
  STFT: inWords((w, x, context) => {
    const [batch = 0, total = 0, parts = 1] = context.dims(0);
    const [step = 1] = context.numbers(1);
    const window = context.has(2) ? (context.node.inputs[2] ?? '') : undefined;
    const length = context.has(3)
      ? (context.numbers(3)[0] ?? 0)
      : window === undefined
        ? 0
        : (w.dims(window)[0] ?? 0);
    const frames = Math.floor((total - length) / step) + 1;
    if (step < 1 || length < 1 || frames < 1) throw context.shapeError(`frames of ${length} do not fit`);
    const places = Array.from(
      { length: frames * length },
      (_, i) => Math.floor(i / length) * step + (i % length),
    );
    const cut = w.gather(x, w.constant('int64', [frames, length], places), 1);
    const faded = window === undefined ? cut : w.mul(cut, w.reshape(window, [length, 1]));
    const bins = intAttribute(context.node, 'onesided', 1) !== 0 ? Math.floor(length / 2) + 1 : length;
    const rows = w.reshape(faded, [batch * frames, length, parts]);
    return w.reshape(transform(w, rows, bins, false), [batch, frames, bins, 2]);
  }),
  /** Triangles over the bins of a spectrum, evenly spaced on the mel scale: a constant. */
  MelWeightMatrix: (context, decomposer) => {
    const [bands = 0, length = 0, rate = 1, low = 0, high = 0] = [0, 1, 2, 3, 4].map(
      (i) => context.anyNumbers(i)[0] ?? 0,
    );
    const mel = (hertz: number) => 2595 * Math.log10(1 + hertz / 700);
    const step = (mel(high) - mel(low)) / (bands + 2);
    const edges = Array.from({ length: bands + 2 }, (_, i) =>
      Math.floor(((length + 1) * 700 * (10 ** ((i * step + mel(low)) / 2595) - 1)) / rate),
    );
    const bins = Math.floor(length / 2) + 1;
    const weights = Array.from({ length: bins * bands }, (_, i) => {
      const [bin, band] = [Math.floor(i / bands), i % bands];
      const [from = 0, peak = 0, to = 0] = edges.slice(band, band + 3);
      if (bin === peak) return 1;
      if (bin >= from && bin < peak) return (bin - from) / (peak - from);
      return bin > peak && bin < to ? (to - bin) / (to - peak) : 0;
    });
    return [new Words(decomposer).constant(typeOf(context, 'output_datatype'), [bins, bands], weights)];
  },
};

/** The axis cut off, or followed by zeros. */
function resized(w: Words, x: string, axis: number, length: number): string {
  const dims = w.dims(x);
  const size = dims[axis] ?? 0;
  if (size >= length) return size === length ? x : w.slice(x, axis, 0, length);
  const pads = [...dims.map(() => 0), ...dims.map((_, i) => (i === axis ? length - size : 0))];
  return w.op('Pad', [x, w.list(pads)]);
}
