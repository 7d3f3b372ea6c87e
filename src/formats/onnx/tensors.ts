import protobuf from 'protobufjs';
import { EspalierError } from '../../errors.js';
import type { TensorData } from '../../graph/graph.js';
import { describeTypeCode, typeOfCode } from '../../graph/type_codes.js';
import { bytesPerElement, type DataType, typedArrayOf } from '../../tensor.js';
import type { UnpackedMemory } from '../unpacked_memory.js';
import type { SparseTensorProto, TensorProto, WireInt64 } from './schema.js';
import { externalLocation, toBigInt } from './wire.js';

/** Where a tensor's bytes come from when they are in another file. */
export type ResolveExternal = (location: string) => Uint8Array;

/**
 * The constant a TensorProto holds. `raw_data`, `float_data` and `double_data` stay views on the file's bytes.
 * @param what the tensor, for messages: `initializer "w"`
 * @throws EspalierError ERR_ESPALIER_MODEL when dims and bytes do not fit together, ERR_ESPALIER_UNSUPPORTED for
 *   element types espalier does not store
 */
export function readTensor(proto: TensorProto, what: string, resolveExternal?: ResolveExternal): TensorData {
  const { type, dims } = readTypeAndDims(proto, what);
  if (proto.segment != null) {
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected ${what} to be whole, got a segment of a tensor`,
    );
  }
  const bytes =
    proto.data_location === externalLocation
      ? readExternal(proto, what, resolveExternal)
      : (ownBytes(proto, 'raw_data') ?? readTypedFields(proto, type, what));
  const expected = byteSize(dims, type, what);
  if (bytes.byteLength !== expected) {
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected ${what} to hold ${expected} bytes for ${type} [${dims.join(', ')}], got ${bytes.byteLength}`,
    );
  }
  return { type, dims, bytes };
}

export function readTypeAndDims(proto: TensorProto, what: string): Pick<TensorData, 'type' | 'dims'> {
  return { type: readType(proto.data_type ?? 0, what), dims: readDims(proto.dims ?? [], what) };
}

/** The location that a tensor names for its bytes, or undefined when they are in the model. */
export function locationOf(proto: TensorProto): string | undefined {
  if (proto.data_location !== externalLocation) return undefined;
  return proto.external_data?.find(({ key }) => key === 'location')?.value ?? '';
}

/** The element type of a code, or ERR_ESPALIER_UNSUPPORTED naming the tensor. */
export function readType(code: number, what: string): DataType {
  const type = typeOfCode.get(code);
  if (type === undefined) {
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected ${what} to have one of the types ${[...typeOfCode.values()].join(', ')}, got ${describeTypeCode(code)}`,
    );
  }
  return type;
}

function readDims(wire: readonly WireInt64[], what: string): number[] {
  return wire.map((value) => {
    const dim = Number(toBigInt(value));
    if (!Number.isSafeInteger(dim) || dim < 0) {
      throw new EspalierError(
        'ERR_ESPALIER_MODEL',
        `Expected dims of ${what} to be non-negative integers, got ${dim}`,
      );
    }
    return dim;
  });
}

function byteSize(dims: readonly number[], type: DataType, what: string): number {
  // A zero anywhere makes the product zero, however large the rest is.
  const size = dims.includes(0) ? 0 : dims.reduce((product, dim) => product * dim, bytesPerElement[type]);
  if (!Number.isSafeInteger(size)) {
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected ${what} to fit in memory, got dims [${dims.join(', ')}]`,
    );
  }
  return size;
}

function ownBytes(proto: TensorProto, field: 'raw_data'): Uint8Array | undefined {
  return Object.hasOwn(proto, field) ? proto[field] : undefined;
}

/** Bytes of the packed field that `type` uses, by TensorProto's comments in the specification. */
function readTypedFields(proto: TensorProto, type: DataType, what: string): Uint8Array {
  switch (type) {
    case 'float32':
      return join(proto.float_data ?? []);
    case 'float64':
      return join(proto.double_data ?? []);
    case 'int64':
      return unpackVarints(proto.int64_data ?? [], type, what);
    case 'uint32':
    case 'uint64':
      return unpackVarints(proto.uint64_data ?? [], type, what);
    default: // float16 and bfloat16 are stored as their bit patterns
      return unpackVarints(proto.int32_data ?? [], type, what);
  }
}

function join(runs: readonly Uint8Array[]): Uint8Array {
  const [first] = runs;
  if (runs.length === 1 && first !== undefined) return first;
  return new Uint8Array(Buffer.concat(runs));
}

/** Elements of packed varints as little-endian bytes of `type`; each varint wraps to the type's width. */
function unpackVarints(runs: readonly Uint8Array[], type: DataType, what: string): Uint8Array {
  // The last byte of a varint is the only one below 128, so counting those counts elements.
  const count = runs.reduce((sum, run) => sum + run.reduce((n, byte) => n + (byte < 128 ? 1 : 0), 0), 0);
  const data = new typedArrayOf[type](new ArrayBuffer(count * bytesPerElement[type]));
  let next = 0;
  try {
    for (const run of runs) {
      const reader = protobuf.Reader.create(run);
      while (reader.pos < reader.len) {
        const value = reader.int64() as unknown as WireInt64;
        data[next++] =
          data instanceof BigInt64Array || data instanceof BigUint64Array ? toBigInt(value) : value.low;
      }
    }
  } catch (cause) {
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected ${what} to hold packed integers: ${String(cause)}`,
      { cause },
    );
  }
  return new Uint8Array(data.buffer);
}

function readExternal(
  proto: TensorProto,
  what: string,
  resolveExternal: ResolveExternal | undefined,
): Uint8Array {
  const fields = new Map((proto.external_data ?? []).map(({ key = '', value = '' }) => [key, value]));
  const location = fields.get('location');
  if (!location) {
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected ${what} to name the file of its external data, got none`,
    );
  }
  if (resolveExternal === undefined) {
    throw new EspalierError(
      'ERR_ESPALIER_FILE',
      `Expected the bytes of ${what} in the model, got external data in ${JSON.stringify(location)}: ` +
        'open the model by its path, or pass resolveExternal',
    );
  }
  const file = resolveExternal(location);
  const offset = readOffset(fields.get('offset') ?? '0', 'offset', what);
  const length = readOffset(fields.get('length') ?? String(file.byteLength - offset), 'length', what);
  if (offset + length > file.byteLength) {
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected ${what} to lie inside ${JSON.stringify(location)} of ${file.byteLength} bytes, ` +
        `got offset ${offset} and length ${length}`,
    );
  }
  return new Uint8Array(file.buffer, file.byteOffset + offset, length);
}

function readOffset(text: string, key: string, what: string): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) {
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected the external data ${key} of ${what} to be a number of bytes inside its file, got ${JSON.stringify(text)}`,
    );
  }
  return value;
}

/**
 * The dense form of a sparse tensor. `indices` are [values] linearized positions or [values, rank] coordinates
 * (SparseTensorProto in the ONNX specification).
 */
export function readSparseTensor(
  proto: SparseTensorProto,
  what: string,
  memory: UnpackedMemory,
  resolveExternal?: ResolveExternal,
): TensorData {
  const values = readTensor(proto.values ?? {}, `values of ${what}`, resolveExternal);
  const indices = readTensor(proto.indices ?? {}, `indices of ${what}`, resolveExternal);
  const dims = readDims(proto.dims ?? [], what);
  const size = byteSize(dims, values.type, what);
  const count = values.dims[0] ?? 0;
  const width = indices.dims[1] ?? 1;
  const coordinates = indices.dims.length === 2;
  if (
    values.dims.length !== 1 ||
    indices.type !== 'int64' ||
    indices.dims[0] !== count ||
    (coordinates ? width !== dims.length : indices.dims.length !== 1)
  ) {
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected ${what} to have int64 indices for each of its values, got ${indices.type} ` +
        `[${indices.dims.join(', ')}] for values [${values.dims.join(', ')}]`,
    );
  }
  memory.take(size, `${what} [${dims.join(', ')}]`);
  const bytes = new Uint8Array(size);
  const width8 = bytesPerElement[values.type];
  const view = new DataView(indices.bytes.buffer, indices.bytes.byteOffset, indices.bytes.byteLength);
  for (let i = 0; i < count; i++) {
    let position = 0;
    for (let d = 0; d < width; d++) {
      const index = Number(view.getBigInt64((i * width + d) * 8, true));
      const bound = coordinates ? (dims[d] ?? 0) : size / width8;
      if (!(index >= 0 && index < bound)) {
        throw new EspalierError(
          'ERR_ESPALIER_MODEL',
          `Expected the indices of ${what} inside [${dims.join(', ')}], got ${index}`,
        );
      }
      position = coordinates ? position * bound + index : index;
    }
    bytes.set(values.bytes.subarray(i * width8, (i + 1) * width8), position * width8);
  }
  return { type: values.type, dims, bytes };
}
