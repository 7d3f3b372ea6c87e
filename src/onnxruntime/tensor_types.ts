import type { TensorDataMap } from '../tensor.js';

/** Types of tensors: those of onnxruntime-common that espalier stores. */
export type TensorType = Exclude<keyof TensorDataMap, 'bfloat16'>;

/** A tensor whose type is known; members and meanings are those of onnxruntime-common. */
export interface TypedTensor<T extends TensorType> {
  readonly type: T;
  readonly dims: readonly number[];
  readonly data: TensorDataMap[T];
  /** Number of elements. */
  readonly size: number;
  /** `none` once the tensor is disposed of; espalier computes on the CPU only. */
  readonly location: 'cpu' | 'none';
  /** Tensors are never on a GPU: reading these throws ERR_ESPALIER_UNSUPPORTED. */
  readonly texture: never;
  readonly gpuBuffer: never;
  readonly mlTensor: never;
  /** Images are not made: these throw ERR_ESPALIER_UNSUPPORTED. */
  toDataURL(): never;
  toImageData(): never;
  getData(releaseData?: boolean): Promise<TensorDataMap[T]>;
  dispose(): void;
  /** The same data under other dims of the same number of elements. */
  reshape(dims: readonly number[]): TypedTensor<T>;
}

export interface TensorConstructor {
  new (type: 'bool', data: Uint8Array | readonly boolean[], dims?: readonly number[]): TypedTensor<'bool'>;
  new (type: 'uint8', data: Uint8ClampedArray, dims?: readonly number[]): TypedTensor<'uint8'>;
  new <T extends 'int64' | 'uint64'>(
    type: T,
    data: TensorDataMap[T] | readonly bigint[] | readonly number[],
    dims?: readonly number[],
  ): TypedTensor<T>;
  new <T extends Exclude<TensorType, 'bool' | 'int64' | 'uint64'>>(
    type: T,
    data: TensorDataMap[T] | readonly number[],
    dims?: readonly number[],
  ): TypedTensor<T>;
  new (data: Float32Array, dims?: readonly number[]): TypedTensor<'float32'>;
  new (data: Float64Array, dims?: readonly number[]): TypedTensor<'float64'>;
  new (data: Int8Array, dims?: readonly number[]): TypedTensor<'int8'>;
  new (data: Uint8Array, dims?: readonly number[]): TypedTensor<'uint8'>;
  new (data: Uint8ClampedArray, dims?: readonly number[]): TypedTensor<'uint8'>;
  new (data: Int16Array, dims?: readonly number[]): TypedTensor<'int16'>;
  new (data: Uint16Array, dims?: readonly number[]): TypedTensor<'uint16'>;
  new (data: Int32Array, dims?: readonly number[]): TypedTensor<'int32'>;
  new (data: Uint32Array, dims?: readonly number[]): TypedTensor<'uint32'>;
  new (data: BigInt64Array, dims?: readonly number[]): TypedTensor<'int64'>;
  new (data: BigUint64Array, dims?: readonly number[]): TypedTensor<'uint64'>;
  new (data: readonly boolean[], dims?: readonly number[]): TypedTensor<'bool'>;
  new (
    type: TensorType,
    data: TensorDataMap[TensorType] | readonly number[] | readonly bigint[] | readonly boolean[],
    dims?: readonly number[],
  ): TypedTensor<TensorType>;
  new (data: TensorDataMap[TensorType], dims?: readonly number[]): TypedTensor<TensorType>;
}
