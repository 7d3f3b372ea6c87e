import { EspalierError } from '../errors.js';
import { createElements, isFloat, toBytes } from '../graph/data.js';
import type { Dim } from '../graph/graph.js';
import { nearest } from '../options.js';
import { type DataType, elementCount, Tensor, typedArrayOf } from '../tensor.js';
import { dims as printDims } from '../text.js';

/** What a model says of one input, as in a session's `inputMetadata`. */
export interface InputMetadata {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly Dim[] | undefined;
}

/**
 * The concrete dims of an input: those given, which must fit the declared ones, or the declared ones.
 * @throws EspalierError ERR_ESPALIER_SHAPE when they do not fit, or some dimension is dynamic and none are given.
 */
export function concreteDims(input: InputMetadata, given?: readonly number[]): readonly number[] {
  const declared = input.dims;
  if (given === undefined) {
    const fixed = declared?.filter((dim) => typeof dim === 'number');
    if (declared !== undefined && fixed?.length === declared.length) return fixed;
    throw new EspalierError(
      'ERR_ESPALIER_SHAPE',
      `Expected a shape for input "${input.name}", for its dims ${printDims(declared)} are not all fixed`,
    );
  }
  const fits =
    declared === undefined ||
    (declared.length === given.length &&
      declared.every((dim, i) => typeof dim === 'string' || dim === given[i]));
  if (fits) return given;
  throw new EspalierError(
    'ERR_ESPALIER_SHAPE',
    `Expected a shape for input "${input.name}" that fits ${printDims(declared)}, got ${printDims(given)}`,
  );
}

/** A tensor of random values: standard normal floats, else 0 or 1 (indices and flags stay in range). */
export function randomTensor(type: DataType, dims: readonly number[], random: () => number): Tensor {
  const values = createElements(type, elementCount(dims));
  for (let i = 0; i < values.length; i++) {
    if (values instanceof BigInt64Array || values instanceof BigUint64Array)
      values[i] = random() < 0.5 ? 0n : 1n;
    else values[i] = isFloat(type) ? normal(random) : random() < 0.5 ? 0 : 1;
  }
  return tensorOf(type, dims, toBytes(type, values));
}

/** A tensor of little-endian bytes, copied so that they are aligned. */
export function tensorOf(type: DataType, dims: readonly number[], bytes: Uint8Array): Tensor {
  const { buffer } = new Uint8Array(bytes);
  return new Tensor(type, new typedArrayOf[type](buffer), dims);
}

/**
 * Random feeds for every input that `given` does not have; the same seed gives the same feeds.
 * @param shapes dims by input name, for inputs with dynamic dimensions
 * @throws EspalierError ERR_ESPALIER_INPUT when a shape is for no input, ERR_ESPALIER_MEMORY, or as {@link concreteDims}.
 */
export function randomFeeds(
  inputs: readonly InputMetadata[],
  options: {
    readonly shapes?: ReadonlyMap<string, readonly number[]>;
    readonly seed?: number;
    readonly given?: Readonly<Record<string, Tensor>>;
  } = {},
): Record<string, Tensor> {
  const { shapes = new Map(), seed = 0, given = {} } = options;
  checkInputNames(inputs, shapes.keys());
  const random = seededRandom(seed);
  return Object.fromEntries(
    inputs.map((input) => [
      input.name,
      given[input.name] ?? randomFeed(input, concreteDims(input, shapes.get(input.name)), random),
    ]),
  );
}

function randomFeed(input: InputMetadata, dims: readonly number[], random: () => number): Tensor {
  try {
    return randomTensor(input.type, dims, random);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause; // a RangeError says that no such array can be allocated
    throw new EspalierError(
      'ERR_ESPALIER_MEMORY',
      `Expected memory for input "${input.name}", ${input.type} ${printDims(dims)}, got none: ${cause.message}`,
      { cause },
    );
  }
}

/** @throws EspalierError ERR_ESPALIER_INPUT for the first name that no input has. */
export function checkInputNames(inputs: readonly InputMetadata[], names: Iterable<string>): void {
  const known = inputs.map((input) => input.name);
  for (const name of names) {
    if (!known.includes(name)) {
      throw new EspalierError('ERR_ESPALIER_INPUT', `Unknown input "${name}"; ${nearest(name, known)}`);
    }
  }
}

/** Uniform numbers in [0, 1): SplitMix32, after G. Steele, D. Lea and C. Flood, "Fast splittable PRNGs", 2014. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** G. Box and M. Muller, "A note on the generation of random normal deviates", 1958. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
