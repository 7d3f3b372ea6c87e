import { EspalierError } from '../../errors.js';
import { byteCount, describeTensor } from '../../graph/data.js';
import type { TensorData } from '../../graph/graph.js';
import { dtypeOfType } from './dtypes.js';
import { largestHeaderBytes, lengthBytes } from './header.js';

/** What UTF-8 has no form for. */
const loneSurrogate = /\p{Surrogate}/u;

export interface EncodeOptions {
  /** `__metadata__`. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The data starts at a multiple of this in the file: 8, or another power of two. Spaces pad the header. Default: 8. */
  readonly alignment?: number;
}

/**
 * The header of a file whose tensors lie one behind the other in the order given: its length, the JSON text, and spaces
 * up to the alignment. The data follows at its end.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT
 */
export function encodeHeader(
  tensors: Iterable<readonly [string, Pick<TensorData, 'type' | 'dims'>]>,
  options: EncodeOptions = {},
): Uint8Array {
  const { metadata = {}, alignment = 8 } = options;
  checkOptions(metadata, alignment);
  // Built as text: in an object, names such as "1" would come first, and "__proto__" not at all.
  const members: string[] = [];
  if (Object.keys(metadata).length > 0) members.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let begin = 0;
  const names = new Set(['__metadata__']);
  for (const [name, { type, dims }] of tensors) {
    if (names.has(name) || loneSurrogate.test(name))
      throw invalid('names of their own for tensors, in UTF-8', JSON.stringify(name));
    names.add(name);
    const end = begin + byteCount(type, dims);
    if (!Number.isSafeInteger(end))
      throw invalid('dims that fit in a file', `${describeTensor({ type, dims })} for "${name}"`);
    const entry = { dtype: dtypeOfType[type], shape: dims, data_offsets: [begin, end] };
    members.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    begin = end;
  }
  const text = new TextEncoder().encode(`{${members.join(',')}}`);
  const end = Math.ceil((lengthBytes + text.byteLength) / alignment) * alignment;
  if (end - lengthBytes > largestHeaderBytes)
    throw invalid(`a header of at most ${largestHeaderBytes} bytes`, `${end - lengthBytes}`);
  const header = new Uint8Array(end).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(end - lengthBytes), true);
  header.set(text, lengthBytes);
  return header;
}

/**
 * A safetensors file of these tensors. Those of wider types come first, each type in the order given, so that every
 * tensor is aligned to its elements; this is the order of the reference implementation but for the names.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT, or ERR_ESPALIER_SHAPE when bytes do not fit dims
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, TensorData>,
  options: EncodeOptions = {},
): Uint8Array {
  for (const [name, tensor] of tensors) {
    const expected = byteCount(tensor.type, tensor.dims);
    if (tensor.bytes.byteLength === expected) continue;
    const got = `${tensor.bytes.byteLength} bytes`;
    throw new EspalierError(
      'ERR_ESPALIER_SHAPE',
      `Expected ${expected} bytes for tensor "${name}", ${describeTensor(tensor)}, got ${got}`,
    );
  }
  const ordered = [...tensors].sort(([, a], [, b]) => width(b) - width(a));
  const header = encodeHeader(ordered, options);
  const size = ordered.reduce((sum, [, { bytes }]) => sum + bytes.byteLength, header.byteLength);
  const file = allocate(size);
  file.set(header);
  let at = header.byteLength;
  for (const [, { bytes }] of ordered) {
    file.set(bytes, at);
    at += bytes.byteLength;
  }
  return file;
}

function width({ type }: TensorData): number {
  return byteCount(type, []);
}

function checkOptions(metadata: Readonly<Record<string, string>>, alignment: number): void {
  if (!(Number.isInteger(Math.log2(alignment)) && alignment >= 8 && alignment <= 2 ** 20))
    throw invalid('an alignment that is a power of two from 8 to 1048576', String(alignment));
  const bad = Object.entries(metadata).find(
    ([key, text]) => typeof text !== 'string' || loneSurrogate.test(`${key} ${text}`),
  );
  if (bad !== undefined) throw invalid('metadata of texts', `${JSON.stringify(bad[1])} for "${bad[0]}"`);
}

function allocate(size: number): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new EspalierError('ERR_ESPALIER_MEMORY', `Expected memory for a file of ${size} bytes, got none`, {
      cause,
    });
  }
}

function invalid(expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${expected}, got ${got}`);
}
