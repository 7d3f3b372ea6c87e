import { EspalierError } from '../../errors.js';
import { byteCount, readElements, toBytes } from '../../graph/data.js';
import type { TensorData } from '../../graph/graph.js';
import { gatherStrided, rowMajorStrides } from '../../graph/operators/strided.js';
import { bytesPerElement, type DataType } from '../../tensor.js';

/** First bytes of every .npy file. */
export const npyMagic = Uint8Array.from([0x93, ...Buffer.from('NUMPY')]);

/** NumPy itself writes some hundred bytes. */
const largestHeaderBytes = 2 ** 16;

const typeOfDescr: ReadonlyMap<string, DataType> = new Map([
  ['b1', 'bool'],
  ['i1', 'int8'],
  ['i2', 'int16'],
  ['i4', 'int32'],
  ['i8', 'int64'],
  ['u1', 'uint8'],
  ['u2', 'uint16'],
  ['u4', 'uint32'],
  ['u8', 'uint64'],
  ['f2', 'float16'],
  ['f4', 'float32'],
  ['f8', 'float64'],
]);

/**
 * The array of a .npy file, row-major and little-endian whatever the file is. What is so already stays a view on
 * `bytes`. The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * @param what the file, for messages; a path reads well
 * @throws EspalierError ERR_ESPALIER_MODEL when the bytes are no valid file, ERR_ESPALIER_UNSUPPORTED for other types:
 *   pickled objects, text, records, complex numbers
 */
export function decodeNpy(bytes: Uint8Array, what = 'the file'): TensorData {
  const { text, dataStart } = splitHeader(bytes, what);
  const { descr, fortran, dims } = readHeader(text, what);
  const [, order, kind = ''] = /^([<>|=]?)(.*)$/.exec(descr) ?? [];
  const type = typeOfDescr.get(kind);
  if (type === undefined) throw unsupported(what, descr);
  const width = bytesPerElement[type];
  // A zero anywhere makes the product zero, however large the rest is.
  const size = dims.includes(0) ? 0 : dims.reduce((product, dim) => product * dim, width);
  const got = bytes.byteLength - dataStart;
  if (size !== got) throw invalid(what, `to hold ${size} bytes for ${type} [${dims.join(', ')}]`, `${got}`);
  const data = new Uint8Array(bytes.buffer, bytes.byteOffset + dataStart, size);
  const native = order === '>' && width > 1 ? swapped(data, width) : data;
  return { type, dims, bytes: fortran ? fromColumnMajor(native, dims, width) : native };
}

/** The first dim varies fastest, as the last one does in the row-major order of the reversed dims. */
function fromColumnMajor(bytes: Uint8Array, dims: readonly number[], width: number): Uint8Array {
  if (dims.length < 2) return bytes;
  const strides = rowMajorStrides(dims.toReversed()).reverse();
  return gatherStrided(dims, width, bytes, { offset: 0, strides });
}

function splitHeader(bytes: Uint8Array, what: string): { text: string; dataStart: number } {
  const [magic, major] = [bytes.subarray(0, npyMagic.length), bytes[npyMagic.length] ?? 0];
  if (Buffer.compare(magic, npyMagic) !== 0) throw invalid(what, 'to be a NumPy array', 'other bytes');
  if (major < 1 || major > 3) throw invalid(what, 'to have version 1, 2 or 3', String(major));
  const start = major === 1 ? 10 : 12; // behind the magic, two bytes of version, and the header's length
  if (bytes.byteLength < start) throw invalid(what, `to have at least ${start} bytes`, `${bytes.byteLength}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const room = Math.min(largestHeaderBytes, bytes.byteLength - start);
  if (length > room) throw invalid(what, `to have a header of at most ${room} bytes`, `${length}`);
  const text = new TextDecoder(major === 3 ? 'utf-8' : 'latin1').decode(bytes.slice(start, start + length));
  return { text, dataStart: start + length };
}

/** One entry of the Python dictionary, up to the comma or brace behind it. */
const member = /\s*(['"])(\w+)\1\s*:\s*(?:(['"])([^'"]*)\3|(True|False)|\(([\s\d,L]*)\))\s*([,}])/y;

function readHeader(text: string, what: string): { descr: string; fortran: boolean; dims: number[] } {
  if (/^\{.*'descr'\s*:\s*\[/.test(text)) throw unsupported(what, 'records');
  let descr: string | undefined;
  let fortran: string | undefined;
  let shape: string | undefined;
  let closed = false;
  let at = 1;
  while (text[0] === '{' && !closed) {
    member.lastIndex = at;
    const match = member.exec(text);
    if (match === null) {
      closed = /^\s*\}\s*$/.test(text.slice(at)); // the comma behind the last entry is NumPy's habit
      break;
    }
    const [whole, , key, , name, flag, tuple, end] = match;
    if (key === 'descr') descr = name;
    if (key === 'fortran_order') fortran = flag;
    if (key === 'shape') shape = tuple;
    at += whole.length;
    closed = end === '}';
  }
  if (!closed || descr === undefined || fortran === undefined || shape === undefined)
    throw invalid(
      what,
      'to have a header with descr, fortran_order and shape',
      JSON.stringify(text.slice(0, 80)),
    );
  return { descr, fortran: fortran === 'True', dims: readShape(shape, what) };
}

function readShape(tuple: string, what: string): number[] {
  const items = tuple.split(',').map((item) => item.trim());
  if (items.at(-1) === '') items.pop(); // `(3,)` and `()`
  return items.map((item) => {
    const dim = /^\d+L?$/.test(item) ? Number.parseInt(item, 10) : Number.NaN; // Python 2 wrote 3L
    if (Number.isSafeInteger(dim)) return dim;
    throw invalid(what, 'to have a shape of whole numbers', JSON.stringify(tuple.slice(0, 80)));
  });
}

function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const copy = Buffer.from(bytes);
  if (width === 2) copy.swap16();
  else if (width === 4) copy.swap32();
  else copy.swap64();
  return new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength);
}

/** A .npy file of a tensor. NumPy has no bfloat16: such a tensor is stored as float32, which is exact. */
export function encodeNpy(tensor: TensorData): Uint8Array {
  const { type, dims, bytes } = tensor.type === 'bfloat16' ? widened(tensor) : tensor;
  if (bytes.byteLength !== byteCount(type, dims)) {
    const expected = `Expected ${byteCount(type, dims)} bytes for ${type} [${dims.join(', ')}]`;
    throw new EspalierError('ERR_ESPALIER_SHAPE', `${expected}, got ${bytes.byteLength}`);
  }
  const kind = [...typeOfDescr].find(([, named]) => named === type)?.[0];
  const descr = `${bytesPerElement[type] === 1 ? '|' : '<'}${kind}`;
  const shape = dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(', ')})`;
  const dictionary = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const start = Math.ceil((10 + dictionary.length + 1) / 64) * 64;
  if (start - 10 > largestHeaderBytes - 1)
    throw new EspalierError('ERR_ESPALIER_SHAPE', `Expected dims that fit in a header, got ${dims.length}`);
  const file = new Uint8Array(start + bytes.byteLength);
  file.set([...npyMagic, 1, 0, (start - 10) & 0xff, (start - 10) >> 8]);
  file.set(Buffer.from(`${dictionary.padEnd(start - 11)}\n`), 10);
  file.set(bytes, start);
  return file;
}

function widened(tensor: TensorData): TensorData {
  return { type: 'float32', dims: tensor.dims, bytes: toBytes('float32', readElements(tensor)) };
}

function unsupported(what: string, descr: string): EspalierError {
  const why = descr.includes('O') ? ' (objects are pickled, and unpickling runs code)' : '';
  const types = [...typeOfDescr.keys()].join(', ');
  return new EspalierError(
    'ERR_ESPALIER_UNSUPPORTED',
    `Expected ${what} to be one of the NumPy types ${types}, got ${JSON.stringify(descr)}${why}`,
  );
}

function invalid(what: string, expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_MODEL', `Expected ${what} ${expected}, got ${got}`);
}
