import { EspalierError } from '../errors.js';
import { readElements } from '../graph/data.js';
import type { TensorData, ValueInfo } from '../graph/graph.js';
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

function slicesOf(input: ValueInfo, data: TensorData | undefined): Tensor[] {
  if (data === undefined) {
    throw new EspalierError(
      'ERR_ESPALIER_INPUT',
      `Expected a calibration array for input "${input.name}", got none`,
    );
  }
  const { type, dims } = data;
  if (type !== input.type || dims.length === 0 || type === 'float16' || type === 'bfloat16') {
    const got = dims.length === 0 ? 'a scalar' : type;
    throw new EspalierError(
      'ERR_ESPALIER_TYPE',
      `Expected calibration array "${input.name}" of ${input.type} with samples along its first axis, got ${got}`,
    );
  }
  const [samples = 0, ...rest] = dims;
  const withoutAxis = input.dims !== undefined && input.dims.length === rest.length;
  const [first] = input.dims ?? [];
  const batch = !withoutAxis && typeof first === 'number' ? first : 1;
  const size = batch * rest.reduce((product, dim) => product * dim, 1);
  const elements = readElements(data) as TensorDataMap[typeof type];
  return Array.from({ length: batch === 0 ? 0 : Math.floor(samples / batch) }, (_, i) => {
    const values = elements.subarray(i * size, (i + 1) * size);
    return new Tensor(type, values as TensorDataMap[typeof type], withoutAxis ? rest : [batch, ...rest]);
  });
}
