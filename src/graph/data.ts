import { EspalierError } from '../errors.js';
import { bytesPerElement, type DataType, elementCount, typedArrayOf } from '../tensor.js';
import { clampToSafe } from './attributes.js';
import type { TensorData } from './graph.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half.js';

/** Elements in a form JavaScript computes with: 16-bit floats as float32, bools as 0 and 1. */
export type Elements = NumberElements | BigIntElements;
export type BigIntElements = BigInt64Array | BigUint64Array;
export type NumberElements =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

/** Whether elements of `type` are BigInts when read by {@link readElements}. */
export function isWide(type: DataType): type is 'int64' | 'uint64' {
  return type === 'int64' || type === 'uint64';
}

export function isFloat(type: DataType): boolean {
  return type === 'float32' || type === 'float64' || type === 'float16' || type === 'bfloat16';
}

/** The elements of a constant; a view where alignment and type allow, so never write to it. */
export function readElements({ type, bytes }: TensorData): Elements {
  const width = bytesPerElement[type];
  const aligned = bytes.byteOffset % width === 0 && bytes.buffer instanceof ArrayBuffer;
  const source = aligned ? bytes : new Uint8Array(bytes);
  const stored = new typedArrayOf[type](
    source.buffer as ArrayBuffer,
    source.byteOffset,
    source.byteLength / width,
  );
  if (type === 'float16') return Float32Array.from(stored as Uint16Array, fromFloat16);
  if (type === 'bfloat16') return Float32Array.from(stored as Uint16Array, fromBfloat16);
  return stored;
}

/** Room for `count` elements of `type` to compute into; {@link toBytes} stores them. */
export function createElements(type: DataType, count: number): Elements {
  if (type === 'float16' || type === 'bfloat16') return new Float32Array(count);
  return new typedArrayOf[type](new ArrayBuffer(count * bytesPerElement[type]));
}

/** The bytes of elements that were computed as {@link createElements} of the same type. */
export function toBytes(type: DataType, elements: Elements): Uint8Array {
  if (type === 'float16' || type === 'bfloat16') {
    const narrow = Uint16Array.from(elements as Float32Array, type === 'float16' ? toFloat16 : toBfloat16);
    return new Uint8Array(narrow.buffer);
  }
  return new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
}

/** The elements as numbers; 64-bit integers are clamped to the safe integers. */
export function readNumbers(tensor: TensorData): number[] {
  const elements = readElements(tensor);
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) {
    return Array.from(elements, clampToSafe);
  }
  return Array.from(elements);
}

/** A constant of these values, row-major; each value wraps or rounds to the type. */
export function fromNumbers(
  type: DataType,
  dims: readonly number[],
  values: readonly (number | bigint)[],
): TensorData {
  if (values.length !== elementCount(dims)) {
    throw new EspalierError(
      'ERR_ESPALIER_SHAPE',
      `Expected ${elementCount(dims)} values for dims [${dims.join(', ')}], got ${values.length}`,
    );
  }
  const elements = createElements(type, values.length);
  values.forEach((value, i) => {
    if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) elements[i] = BigInt(value);
    else elements[i] = Number(value);
  });
  return { type, dims: [...dims], bytes: toBytes(type, elements) };
}

/** A one-dimensional int64 constant: shapes, axes, pads. */
export function int64List(values: readonly number[]): TensorData {
  return fromNumbers('int64', [values.length], values);
}

export function byteCount(type: DataType, dims: readonly number[]): number {
  return elementCount(dims) * bytesPerElement[type];
}

/** `float32 [1, 3, 48, 320]`, as in every message about a tensor. */
export function describeTensor(tensor: {
  readonly type: DataType;
  readonly dims: readonly number[];
}): string {
  return `${tensor.type} [${tensor.dims.join(', ')}]`;
}
