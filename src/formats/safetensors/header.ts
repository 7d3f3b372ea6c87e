import { EspalierError } from '../../errors.js';
import { bytesPerElement, type DataType } from '../../tensor.js';
import { typeOfDtype } from './dtypes.js';
import { parseStrict } from './json.js';

/** Bytes of the header's length, which stand first in the file. */
export const lengthBytes = 8;

/** Largest header, as in the reference implementation. */
export const largestHeaderBytes = 100_000_000;

const openBrace = 0x7b;

/** Where a tensor lies: bytes [begin, end) of the data, which starts at {@link SafetensorsHeader.dataStart}. */
export interface SafetensorsEntry {
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** In the order of their data. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  /** `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Position in the file at which the data starts. */
  readonly dataStart: number;
}

/** Whether bytes start like a safetensors file: with a length that can be one, and a brace. */
export function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.byteLength <= lengthBytes || bytes[lengthBytes] !== openBrace) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getBigUint64(0, true) <= BigInt(largestHeaderBytes);
}

/**
 * Bytes from the start of the file to the data: what {@link decodeHeader} needs of a file.
 * @param bytes the file, or at least its first {@link lengthBytes}
 * @param fileBytes the size of the file
 * @param what the file, for messages
 * @throws EspalierError ERR_ESPALIER_MODEL
 */
export function headerEnd(bytes: Uint8Array, fileBytes: number, what: string): number {
  if (fileBytes < lengthBytes || bytes.byteLength < lengthBytes)
    throw invalid(what, `at least ${lengthBytes} bytes`, `${fileBytes}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  const room = Math.min(largestHeaderBytes, fileBytes - lengthBytes);
  if (length < 2n || length > BigInt(room))
    throw invalid(what, `a header of 2 to ${room} bytes`, `${length}`);
  return lengthBytes + Number(length);
}

/**
 * Reads and checks the header of a safetensors file: every tensor has its exact size, and together they cover the data
 * without a gap or an overlap (https://github.com/huggingface/safetensors#format).
 * @param bytes the file, or its first {@link headerEnd} bytes
 * @throws EspalierError ERR_ESPALIER_MODEL, or ERR_ESPALIER_UNSUPPORTED for types that espalier does not store
 */
export function decodeHeader(bytes: Uint8Array, fileBytes: number, what: string): SafetensorsHeader {
  const dataStart = headerEnd(bytes, fileBytes, what);
  if (bytes.byteLength < dataStart)
    throw invalid(what, `a header of ${dataStart - lengthBytes} bytes`, `${bytes.byteLength - lengthBytes}`);
  const parsed = parseStrict(
    decodeText(bytes.slice(lengthBytes, dataStart), what), // a copy, for decoders take no shared memory
    `the header of ${what}`,
  );
  if (!isObject(parsed))
    throw invalid(what, 'a header that is an object', JSON.stringify(parsed).slice(0, 40));
  let metadata: Readonly<Record<string, string>> = {};
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') metadata = readMetadata(value, what);
    else entries.set(name, readEntry(value, `tensor ${JSON.stringify(name)} of ${what}`));
  }
  return { entries: inFileOrder(entries, fileBytes - dataStart, what), metadata, dataStart };
}

function decodeText(bytes: Uint8Array, what: string): string {
  if (bytes[0] !== openBrace) throw invalid(what, 'a header that starts with "{"', `byte ${bytes[0]}`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid(what, 'a header in UTF-8', 'other bytes');
  }
}

function readMetadata(value: unknown, what: string): Readonly<Record<string, string>> {
  if (isObject(value) && Object.values(value).every((text) => typeof text === 'string'))
    return value as Record<string, string>;
  throw invalid(what, '__metadata__ to hold texts by key', 'other values');
}

function readEntry(value: unknown, what: string): SafetensorsEntry {
  if (!isObject(value)) throw invalid(what, 'dtype, shape and data_offsets', typeof value);
  const { dtype, shape, data_offsets: offsets, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw invalid(what, 'dtype, shape and data_offsets', JSON.stringify(unknown));
  if (!isCounts(shape)) throw invalid(what, 'a shape of whole numbers', got(shape));
  if (!isCounts(offsets) || offsets.length !== 2) throw invalid(what, 'two data_offsets', got(offsets));
  if (typeof dtype !== 'string') throw invalid(what, 'a dtype', got(dtype));
  const type = typeOfDtype.get(dtype);
  if (type === undefined) {
    const types = [...typeOfDtype.keys()].join(', ');
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected ${what} to be one of ${types}, got ${got(dtype)}`,
    );
  }
  const [begin, end] = offsets as [number, number];
  // A zero anywhere makes the product zero, however large the rest is.
  const size = shape.includes(0) ? 0 : shape.reduce((product, dim) => product * dim, bytesPerElement[type]);
  if (!Number.isSafeInteger(size) || end - begin !== size)
    throw invalid(what, `${size} bytes for ${dtype} [${shape.join(', ')}]`, `offsets ${begin} to ${end}`);
  return { type, dims: shape, begin, end };
}

/** Overlaps, gaps and bytes outside the file are all the same: a tensor does not begin where the one before it ends. */
function inFileOrder(
  entries: ReadonlyMap<string, SafetensorsEntry>,
  dataBytes: number,
  what: string,
): ReadonlyMap<string, SafetensorsEntry> {
  const sorted = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const [name, { begin, end }] of sorted) {
    if (begin !== covered || end > dataBytes) {
      const expected = `tensor ${JSON.stringify(name)} at byte ${covered} of ${dataBytes} bytes of data`;
      throw invalid(what, expected, `it at ${begin} to ${end}`);
    }
    covered = end;
  }
  if (covered !== dataBytes) throw invalid(what, `tensors for ${dataBytes} bytes of data`, `${covered}`);
  return new Map(sorted);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.every((item) => Number.isSafeInteger(item) && !Object.is(item, -0) && item >= 0)
  );
}

function got(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 60);
}

function invalid(what: string, expected: string, given: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_MODEL', `Expected ${what} to have ${expected}, got ${given}`);
}
