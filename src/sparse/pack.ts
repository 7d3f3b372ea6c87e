import * as v from 'valibot';
import { EspalierError } from '../errors.js';
import { loadAddon, type PackedWeights } from '../native/addon.js';
import { optionsObject, parseOptions } from '../options.js';
import {
  storageIn,
  type WeightFormat,
  type WeightStorage,
  weightFormats,
  weightStorages,
} from './weight_formats.js';

/** A matrix as kernels read it: its format, and little-endian sections that each start at a multiple of 64 bytes. */
export type PackedMatrix = PackedWeights;

export interface PackOptions {
  readonly rows: number;
  readonly cols: number;
  /** `sell` and `ell` for single zeros, `block16`, `block8` and `block4` for blocks. */
  readonly format: WeightFormat;
  /** Default: float32. float16 rounds values to the nearest half; csr has no float16. */
  readonly storage?: WeightStorage | undefined;
}

const size = v.pipe(v.number('a number'), v.safeInteger('an integer'), v.minValue(1, 'at least 1'));
const format = v.picklist(weightFormats, `one of ${weightFormats.join(', ')}`);
const schema = optionsObject({
  rows: size,
  cols: size,
  format,
  storage: v.optional(v.picklist(weightStorages, `one of ${weightStorages.join(', ')}`), 'float32'),
});

/**
 * Packs a dense matrix. Zeros are left out as the format allows, and denormals become zeros; other values come back
 * from {@link unpack} bit for bit, rounded to half when they are stored so.
 * @param matrix [rows, cols], row-major
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for wrong options, ERR_ESPALIER_SHAPE when the matrix does not fit them
 * or the format, ERR_ESPALIER_NATIVE when there is no addon
 */
export function pack(matrix: Float32Array, options: PackOptions): PackedMatrix {
  const { rows, cols, format: wanted, storage } = parseOptions(schema, options, 'pack options');
  if (!(matrix instanceof Float32Array)) throw mismatch('ARGUMENT', 'a Float32Array', typeof matrix);
  if (matrix.length !== rows * cols)
    throw mismatch('SHAPE', `${rows} x ${cols} = ${rows * cols} values`, `${matrix.length}`);
  const bytes = new Uint8Array(matrix.buffer, matrix.byteOffset, matrix.byteLength);
  return loadAddon().packWeights(bytes, wanted, storage, rows, cols, 0, cols, 1);
}

/**
 * The dense matrix, [rows, cols] row-major. What is packed may come from anywhere: it is checked.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT or ERR_ESPALIER_MODEL when it is no packed matrix, ERR_ESPALIER_MEMORY
 */
export function unpack(packed: PackedMatrix): Float32Array {
  if (typeof packed !== 'object' || packed === null)
    throw mismatch('ARGUMENT', 'a packed matrix', packed === null ? 'null' : typeof packed);
  const { rows, cols } = packed;
  if (![rows, cols].every((count) => Number.isSafeInteger(count) && count >= 1))
    throw mismatch('ARGUMENT', 'rows and cols of at least 1', `${rows} x ${cols}`);
  const addon = loadAddon();
  const matrix = allocateMatrix(rows, cols);
  addon.unpackWeights(packed, matrix);
  return matrix;
}

/** @throws EspalierError ERR_ESPALIER_MEMORY when there can be no such array. */
export function allocateMatrix(rows: number, cols: number): Float32Array {
  try {
    return new Float32Array(rows * cols);
  } catch (cause) {
    throw new EspalierError('ERR_ESPALIER_MEMORY', `Expected memory for ${rows} x ${cols} values`, { cause });
  }
}

/** The same matrix in another format, and another storage when one is given. Throws what pack and unpack throw. */
export function convert(packed: PackedMatrix, to: WeightFormat, storage?: WeightStorage): PackedMatrix {
  const matrix = unpack(packed);
  const { rows, cols } = packed;
  return pack(matrix, { rows, cols, format: to, storage: storageIn(to, storage ?? packed.storage) });
}

function mismatch(code: 'ARGUMENT' | 'SHAPE', expected: string, got: string): EspalierError {
  return new EspalierError(`ERR_ESPALIER_${code}`, `Expected the matrix to be ${expected}, got ${got}`);
}
