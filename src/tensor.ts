import { EspalierError } from './errors.js';

/** Bytes per element of every data type espalier stores. */
export const bytesPerElement = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
} as const;

export type DataType = keyof typeof bytesPerElement;

/** The typed array that holds the elements of a tensor of each type, as in onnxruntime-common. */
export interface TensorDataMap {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int32: Int32Array;
  uint32: Uint32Array;
  int64: BigInt64Array;
  uint64: BigUint64Array;
  bool: Uint8Array;
}

export const typedArrayOf: {
  readonly [T in DataType]: new (
    buffer: ArrayBuffer,
    byteOffset?: number,
    length?: number,
  ) => TensorDataMap[T];
} = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

/** Number of elements of a tensor with these dims; 1 for a scalar (no dims). */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** A dense tensor, row-major: `data` holds `dims[0] x dims[1] x ...` elements of `type`. */
export class Tensor<T extends DataType = DataType> {
  readonly type: T;
  readonly data: TensorDataMap[T];
  readonly dims: readonly number[];

  constructor(
    type: T,
    data: TensorDataMap[T] | readonly number[] | readonly bigint[],
    dims: readonly number[],
  ) {
    if (!Object.hasOwn(typedArrayOf, type)) {
      throw new EspalierError(
        'ERR_ESPALIER_TYPE',
        `Expected a tensor type of ${Object.keys(typedArrayOf).join(', ')}, got ${String(type)}`,
      );
    }
    const arrayType: (typeof typedArrayOf)[DataType] = typedArrayOf[type];
    if (!Array.isArray(dims) || dims.some((dim) => !Number.isSafeInteger(dim) || dim < 0)) {
      throw new EspalierError(
        'ERR_ESPALIER_SHAPE',
        `Expected dims of non-negative integers, got ${JSON.stringify(dims)}`,
      );
    }
    this.type = type;
    this.dims = [...dims];
    this.data = Array.isArray(data) ? fromNumbers(type, data) : (data as TensorDataMap[T]);
    if (!(this.data instanceof arrayType)) {
      throw new EspalierError(
        'ERR_ESPALIER_TYPE',
        `Expected ${arrayType.name} data for a ${type} tensor, got ${Object.prototype.toString.call(data).slice(8, -1)}`,
      );
    }
    if (this.data.length !== elementCount(dims)) {
      throw new EspalierError(
        'ERR_ESPALIER_SHAPE',
        `Expected ${elementCount(dims)} elements for dims [${dims.join(', ')}], got ${this.data.length}`,
      );
    }
  }

  /** Number of elements. */
  get size(): number {
    return this.data.length;
  }
}

function fromNumbers<T extends DataType>(type: T, values: readonly (number | bigint)[]): TensorDataMap[T] {
  const bytes = new ArrayBuffer(values.length * bytesPerElement[type]);
  const data = new typedArrayOf[type](bytes);
  const wide = data instanceof BigInt64Array || data instanceof BigUint64Array;
  for (const [i, value] of values.entries()) {
    const number = ['number', 'bigint', 'boolean'].includes(typeof value);
    if (!number || (wide && typeof value === 'number' && !Number.isInteger(value))) {
      const got = number ? String(value) : `a value of type ${value === null ? 'null' : typeof value}`;
      throw new EspalierError(
        'ERR_ESPALIER_TYPE',
        `Expected ${wide ? 'integers' : 'numbers'} for a ${type} tensor, got ${got} at ${i}`,
      );
    }
    data[i] = wide ? BigInt(value) : Number(value);
  }
  return data;
}

/** Tensors by input or output name. */
export type TensorMap = Readonly<Record<string, Tensor>>;
