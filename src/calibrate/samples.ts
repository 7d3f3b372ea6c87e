import { EspalierError, type EspalierErrorCode } from '../errors.js';
import { readElements } from '../graph/data.js';
import type { Dim, TensorData, ValueInfo } from '../graph/graph.js';
import { nearest } from '../options.js';
import { Tensor, type TensorDataMap, type TensorMap } from '../tensor.js';

/** Calibration data: what to feed the model, sample after sample. */
export type Samples = readonly TensorMap[];

/**
 * Samples from one array per model input, samples along the first axis. A model whose first dim is a number takes that
 * many at a time; one that names its first dim takes one. An input of one dim less than its array takes them without
 * that axis. Nothing is copied.
 * @throws EspalierError ERR_ESPALIER_INPUT, _TYPE or _SHAPE when the arrays do not fit the inputs or each other.
 */
export function samplesFrom(arrays: ReadonlyMap<string, TensorData>, inputs: readonly ValueInfo[]): Samples {
  for (const name of arrays.keys()) {
    if (inputs.some((input) => input.name === name)) continue;
    const names = inputs.map((input) => input.name);
    throw new EspalierError(
      'ERR_ESPALIER_INPUT',
      `Calibration array "${name}" is not an input of the model: ${nearest(name, names)}`,
    );
  }
  const slices = inputs.map((input) => slicesOf(input, arrays.get(input.name)));
  const counts = slices.map((list) => list.length);
  const count = Math.min(...counts);
  if (!counts.every((length) => length === count) || count < 1 || !Number.isFinite(count)) {
    const listed = inputs.map(({ name }, i) => `"${name}" ${counts[i]}`).join(', ');
    throw new EspalierError(
      'ERR_ESPALIER_SHAPE',
      `Expected calibration arrays of as many samples each, at least one, got ${listed || 'none'}`,
    );
  }
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(inputs.map(({ name }, input) => [name, slices[input]?.[i] as Tensor])),
  );
}

/**
 * Checks that every sample has a tensor of the right type and shape for each input.
 * @throws EspalierError ERR_ESPALIER_INPUT, _TYPE or _SHAPE
 */
export function checkSamples(samples: Samples, inputs: readonly ValueInfo[]): void {
  for (const [index, sample] of samples.entries()) {
    for (const { name, type, dims } of inputs) {
      const tensor = Object.hasOwn(sample, name) ? sample[name] : undefined;
      const refuse = (code: EspalierErrorCode, got: string) =>
        new EspalierError(
          code,
          `Expected "${name}" of sample ${index} to be ${describe(type, dims)}, got ${got}`,
        );
      if (tensor === undefined) throw refuse('ERR_ESPALIER_INPUT', 'none');
      if (tensor.type !== type) throw refuse('ERR_ESPALIER_TYPE', describe(tensor.type, tensor.dims));
      if (!fits(tensor.dims, dims)) throw refuse('ERR_ESPALIER_SHAPE', describe(type, tensor.dims));
    }
  }
}

/** Whether a tensor of some dims can be an input; names of dims fit any number. */
function fits(got: readonly number[], expected: readonly Dim[] | undefined): boolean {
  if (expected === undefined) return true;
  if (got.length !== expected.length) return false;
  return expected.every((dim, axis) => typeof dim === 'string' || dim === got[axis]);
}

function describe(type: string, dims: readonly Dim[] | undefined): string {
  return dims === undefined ? type : `${type} [${dims.map((dim) => (dim === '' ? '?' : dim)).join(', ')}]`;
}

function slicesOf(input: ValueInfo, data: TensorData | undefined): Tensor[] {
  const { name } = input;
  const [leading] = input.dims ?? [];
  const axes = typeof leading === 'number' && leading !== 1 ? input.dims : input.dims?.slice(1);
  const refuse = (code: EspalierErrorCode, got: string) =>
    new EspalierError(
      code,
      `Expected calibration array "${name}" to be ${describe(input.type, axes && ['samples', ...axes])}, got ${got}`,
    );
  if (data === undefined) throw refuse('ERR_ESPALIER_INPUT', 'none');
  const { type, dims } = data;
  if (type !== input.type || type === 'float16' || type === 'bfloat16')
    throw refuse('ERR_ESPALIER_TYPE', describe(type, dims));
  const [samples, ...rest] = dims;
  if (samples === undefined) throw refuse('ERR_ESPALIER_SHAPE', describe(type, dims));
  const withoutAxis = input.dims !== undefined && input.dims.length === rest.length;
  const batch = !withoutAxis && typeof leading === 'number' ? leading : 1;
  const own = withoutAxis ? rest : [batch, ...rest];
  if (!fits(own, input.dims) || samples < batch) throw refuse('ERR_ESPALIER_SHAPE', describe(type, dims));
  const size = own.reduce((product, dim) => product * dim, 1);
  const elements = readElements(data) as TensorDataMap[typeof type];
  return Array.from({ length: batch === 0 ? 0 : Math.floor(samples / batch) }, (_, i) => {
    const values = elements.subarray(i * size, (i + 1) * size);
    return new Tensor(type, values as TensorDataMap[typeof type], own);
  });
}
