import { readFile } from 'node:fs/promises';
import { EspalierError } from '../errors.js';
import { concreteDims, type InputMetadata, randomFeeds, tensorOf } from '../evaluate/feeds.js';
import { decodeNpy } from '../formats/npz/index.js';
import { fromNumbers, isWide } from '../graph/data.js';
import { bytesPerElement, elementCount, type Tensor } from '../tensor.js';
import { dims as printDims } from '../text.js';
import { readShapes, splitAssignments } from './arguments.js';
import { fileError } from './io.js';

/**
 * The feeds that the command line asks for: `--input name=file` from files, the rest random.
 * @throws EspalierError when a name is no input, a file cannot be read, or what it holds does not fit.
 */
export async function readFeeds(
  inputs: readonly InputMetadata[],
  options: { readonly input?: readonly string[]; readonly shape: readonly string[]; readonly seed: number },
): Promise<Record<string, Tensor>> {
  const names = inputs.map((input) => input.name);
  const shapes = readShapes(options.shape, names);
  const given: Record<string, Tensor> = {};
  for (const [name, file] of splitAssignments('--input', options.input ?? [], names)) {
    const metadata = inputs.find((input) => input.name === name) as InputMetadata;
    given[name] = await readTensor(metadata, file, shapes.get(name));
  }
  const open = inputs.find(({ name, dims }) => {
    return !(name in given) && !shapes.has(name) && dims?.some((dim) => typeof dim === 'string');
  });
  if (open !== undefined) throw missingShape(open);
  return randomFeeds(inputs, { shapes, seed: options.seed, given });
}

function missingShape({ name, dims }: InputMetadata): EspalierError {
  const example = (dims ?? []).map((dim) => (typeof dim === 'string' ? 1 : dim)).join(',');
  return new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    `Expected --shape for input "${name}", whose dims are ${printDims(dims)}: such as --shape ${name}=${example}`,
  );
}

/**
 * A tensor from a file: `.json` holds nested arrays or `{ dims, data }`, `.npy` an array of NumPy, anything else raw
 * little-endian elements.
 */
async function readTensor(
  input: InputMetadata,
  file: string,
  shape: readonly number[] | undefined,
): Promise<Tensor> {
  const content = await readFile(file).catch((cause: unknown) => {
    throw fileError(`a readable file for input "${input.name}" at`, file, cause);
  });
  if (file.endsWith('.json')) return fromJson(input, file, content.toString('utf8'), shape);
  if (file.endsWith('.npy')) return fromNpy(input, file, content, shape);
  const dims = concreteDims(input, shape);
  const expected = elementCount(dims) * bytesPerElement[input.type];
  if (content.length !== expected) {
    throw new EspalierError(
      'ERR_ESPALIER_SHAPE',
      `Expected ${expected} bytes for input "${input.name}", ${input.type} ${printDims(dims)}, got ${content.length} in ${file}`,
    );
  }
  return tensorOf(input.type, dims, content);
}

function fromNpy(
  input: InputMetadata,
  file: string,
  content: Uint8Array,
  shape: readonly number[] | undefined,
): Tensor {
  const { type, dims, bytes } = decodeNpy(content, file);
  if (type !== input.type) {
    throw new EspalierError(
      'ERR_ESPALIER_TYPE',
      `Expected ${input.type} for input "${input.name}", got ${type} in ${file}`,
    );
  }
  return tensorOf(type, concreteDims(input, shape ?? dims), bytes);
}

/** `shape`, else the file's own `dims`, else the input's; nested arrays must have the shape they are read with. */
function fromJson(
  input: InputMetadata,
  file: string,
  text: string,
  shape: readonly number[] | undefined,
): Tensor {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw fileError(`JSON for input "${input.name}" in`, file, cause);
  }
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  const { dims, data } = isObject
    ? (parsed as { dims?: unknown; data?: unknown })
    : { dims: undefined, data: parsed };
  const values = Array.isArray(data) ? data.flat(Number.POSITIVE_INFINITY) : [data];
  const allowed = isWide(input.type) ? Number.isSafeInteger : Number.isFinite;
  if (!values.every((value): value is number | boolean => typeof value === 'boolean' || allowed(value))) {
    throw new EspalierError(
      'ERR_ESPALIER_TYPE',
      `Expected ${input.type} values for input "${input.name}", as nested arrays or { "dims": [...], "data": [...] }, in ${file}`,
    );
  }
  const nested = nestedDims(data);
  const own = dims ?? (nested.length === 1 ? undefined : nested);
  if (
    own !== undefined &&
    !(Array.isArray(own) && own.every((dim) => Number.isSafeInteger(dim) && dim >= 0))
  ) {
    throw new EspalierError('ERR_ESPALIER_SHAPE', `Expected "dims" of whole numbers in ${file}`);
  }
  const fits = input.dims?.length === 1 ? nested : undefined;
  const tensorDims = concreteDims(input, shape ?? own ?? fits);
  const { bytes } = fromNumbers(input.type, tensorDims, values.map(Number));
  return tensorOf(input.type, tensorDims, bytes);
}

/** Dims of nested arrays, by the first element of each; the element count of a ragged one does not fit them. */
function nestedDims(value: unknown): number[] {
  return Array.isArray(value) ? [value.length, ...nestedDims(value[0])] : [];
}
