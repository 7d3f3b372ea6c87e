import { EspalierError } from '../errors.js';
import { type TensorDataMap, Tensor as Values } from '../tensor.js';
import type { Tensor } from './tensor.js';

/** Types of tensors that espalier runs and onnxruntime-common knows. */
type TensorType = Exclude<keyof TensorDataMap, 'bfloat16'>;
type TypedArray = TensorDataMap[TensorType];
type ArrayConstructor = (abstract new (
  ...args: never[]
) => TypedArray) & { from(values: Iterable<unknown>): TypedArray };

/** Node 24 has an array for halves, which onnxruntime-common then uses; before, they are the bits in a Uint16Array. */
const float16Array = (globalThis as { Float16Array?: ArrayConstructor }).Float16Array;

const typeOfArray: readonly (readonly [ArrayConstructor, TensorType])[] = [
  [Float32Array, 'float32'],
  [Float64Array, 'float64'],
  [Int8Array, 'int8'],
  [Uint8Array, 'uint8'],
  [Int16Array, 'int16'],
  [Uint16Array, 'uint16'],
  [Int32Array, 'int32'],
  [Uint32Array, 'uint32'],
  [BigInt64Array as unknown as ArrayConstructor, 'int64'],
  [BigUint64Array as unknown as ArrayConstructor, 'uint64'],
  ...(float16Array === undefined ? [] : [[float16Array, 'float16'] as const]),
];

/** What is behind `Tensor`, where its members are described. */
export class CpuTensor implements Tensor {
  readonly type: TensorType;
  readonly dims: readonly number[];
  readonly size: number;
  #data: TypedArray | undefined;

  constructor(first: unknown, second?: unknown, third?: unknown) {
    const typed = typeof first === 'string';
    const [data, dims] = typed ? [second, third] : [first, second];
    const array = typed ? arrayOf(first as TensorType, data) : inferred(data);
    const shape = dims ?? [array.data.length];
    // The same checks as for any tensor of espalier; halves are checked as their bits.
    const checked = new Values(array.type, bitsOf(array.type, array.data), shape as readonly number[]);
    this.type = array.type;
    this.dims = checked.dims;
    this.size = checked.size;
    this.#data = array.data;
  }

  static async fromImage(): Promise<never> {
    throw notImages();
  }

  static fromTexture(): never {
    throw onCpuOnly('texture');
  }

  static fromGpuBuffer(): never {
    throw onCpuOnly('gpuBuffer');
  }

  static fromMLTensor(): never {
    throw onCpuOnly('mlTensor');
  }

  static fromPinnedBuffer(type: TensorType, buffer: TypedArray, dims?: readonly number[]): Tensor {
    return new CpuTensor(type, buffer, dims);
  }

  get data(): TypedArray {
    if (this.#data !== undefined) return this.#data;
    throw new EspalierError(
      'ERR_ESPALIER_RELEASED',
      'Expected a tensor with data, got one that was disposed of',
    );
  }

  get location(): 'cpu' | 'none' {
    return this.#data === undefined ? 'none' : 'cpu';
  }

  get texture(): never {
    throw onCpuOnly('texture');
  }

  get gpuBuffer(): never {
    throw onCpuOnly('gpuBuffer');
  }

  get mlTensor(): never {
    throw onCpuOnly('mlTensor');
  }

  toDataURL(): never {
    throw notImages();
  }

  toImageData(): never {
    throw notImages();
  }

  async getData(): Promise<TypedArray> {
    return this.data;
  }

  dispose(): void {
    this.#data = undefined;
  }

  reshape(dims: readonly number[]): Tensor {
    return new CpuTensor(this.type, this.data, dims);
  }
}

/** Elements as espalier runs them: halves as bits. A view on the same memory. */
export function bitsOf(type: string, data: unknown): TypedArray {
  if (type !== 'float16' || float16Array === undefined || !(data instanceof float16Array))
    return data as TypedArray;
  return new Uint16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length);
}

/** Elements as onnxruntime-common gives them on this Node. A view on the same memory. */
export function elementsOf(type: TensorType, data: TypedArray): TypedArray {
  if (type !== 'float16' || float16Array === undefined) return data;
  const make = float16Array as unknown as new (
    buffer: ArrayBufferLike,
    offset: number,
    length: number,
  ) => TypedArray;
  return new make(data.buffer, data.byteOffset, data.length);
}

function arrayOf(type: TensorType, data: unknown): { type: TensorType; data: TypedArray } {
  if (type === 'float16' && float16Array !== undefined) {
    const bits = data instanceof Uint16Array || data instanceof float16Array;
    return { type, data: bits ? elementsOf(type, bitsOf(type, data)) : float16Array.from(data as number[]) };
  }
  if (type === 'float16' && Array.isArray(data)) {
    const expected = 'Expected a Uint16Array of bits for a float16 tensor';
    throw new EspalierError('ERR_ESPALIER_TYPE', `${expected}, got an array of numbers`);
  }
  const own = data instanceof Uint8ClampedArray && type === 'uint8' ? Uint8Array.from(data) : data;
  const values = new Values(type, own as TypedArray, [lengthOf(own)]);
  return { type, data: values.data as TypedArray };
}

function lengthOf(data: unknown): number {
  const length = (data as { length?: unknown } | null | undefined)?.length;
  return typeof length === 'number' ? length : 0;
}

function inferred(data: unknown): { type: TensorType; data: TypedArray } {
  if (Array.isArray(data) && data.length > 0 && data.every((value) => typeof value === 'boolean'))
    return { type: 'bool', data: Uint8Array.from(data, Number) };
  if (data instanceof Uint8ClampedArray) return { type: 'uint8', data: Uint8Array.from(data) };
  const type = typeOfArray.find(([array]) => data instanceof array)?.[1];
  if (type !== undefined) return { type, data: data as TypedArray };
  const got = Object.prototype.toString.call(data).slice(8, -1);
  throw new EspalierError(
    'ERR_ESPALIER_TYPE',
    `Expected a type, a typed array or booleans to make a tensor of, got ${got}`,
  );
}

function notImages(): EspalierError {
  return new EspalierError(
    'ERR_ESPALIER_UNSUPPORTED',
    'Expected tensors of numbers, got a request for an image',
  );
}

function onCpuOnly(place: 'texture' | 'gpuBuffer' | 'mlTensor'): EspalierError {
  return new EspalierError(
    'ERR_ESPALIER_UNSUPPORTED',
    `Expected data on the CPU, got a request for ${place}`,
  );
}

/** The tensor of an output, on the memory that the run wrote. */
export function tensorOf(values: Values): Tensor {
  const type = values.type as TensorType;
  return new CpuTensor(type, elementsOf(type, values.data as TypedArray), values.dims);
}
