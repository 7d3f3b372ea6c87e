import type { TensorDataMap } from '../tensor.js';
import { CpuTensor } from './cpu_tensor.js';
import type { GlobalType } from './globals.js';

/** A tensor whose type is known; members and meanings are those of onnxruntime-common. */
export interface TypedTensor<T extends Tensor.Type> {
  readonly type: T;
  readonly dims: readonly number[];
  /** Row-major. @throws EspalierError ERR_ESPALIER_RELEASED after {@link dispose} */
  readonly data: Tensor.DataTypeMap[T];
  /** Number of elements. */
  readonly size: number;
  /** `cpu`, or `none` once the tensor is disposed of. */
  readonly location: Tensor.DataLocation;
  /** Tensors are never on a GPU: reading one of these throws ERR_ESPALIER_UNSUPPORTED. */
  readonly texture: Tensor.TextureType;
  readonly gpuBuffer: Tensor.GpuBufferType;
  readonly mlTensor: Tensor.MLTensorType;
  /** Images are not made: these throw ERR_ESPALIER_UNSUPPORTED. */
  toDataURL(options?: object): string;
  toImageData(options?: object): GlobalType<'ImageData'>;
  getData(releaseData?: boolean): Promise<Tensor.DataTypeMap[T]>;
  dispose(): void;
  /** The same data under other dims of the same number of elements. */
  reshape(dims: readonly number[]): TypedTensor<T>;
}

/** Makers of tensors beside the constructor. All but the last throw ERR_ESPALIER_UNSUPPORTED, as their types say. */
export interface TensorFactory {
  fromImage(image: unknown, options?: object): Promise<never>;
  fromTexture(texture: unknown, options: object): never;
  fromGpuBuffer(buffer: unknown, options: object): never;
  fromMLTensor(tensor: unknown, options: object): never;
  /** A tensor on the memory of `buffer`. */
  fromPinnedBuffer<T extends Tensor.CpuPinnedDataTypes>(
    type: T,
    buffer: Tensor.DataTypeMap[T],
    dims?: readonly number[],
  ): TypedTensor<T>;
}

type Wide = 'int64' | 'uint64';
type Dims = readonly number[];

/**
 * Data is a typed array, which the tensor keeps, or an array of values, which are copied; without dims it is one line.
 * @throws EspalierError ERR_ESPALIER_TYPE for `string`, `int4` and `uint4`, and for data of another type;
 *   ERR_ESPALIER_SHAPE when dims do not fit
 */
export interface TensorConstructor extends TensorFactory {
  new (type: 'string', data: readonly string[], dims?: Dims): TypedTensor<'string'>;
  new (type: 'bool', data: Uint8Array | readonly boolean[], dims?: Dims): TypedTensor<'bool'>;
  new (type: 'uint8', data: Uint8ClampedArray, dims?: Dims): TypedTensor<'uint8'>;
  new <T extends Wide>(
    type: T,
    data: Tensor.DataTypeMap[T] | readonly bigint[] | readonly number[],
    dims?: Dims,
  ): TypedTensor<T>;
  new <T extends Exclude<Tensor.Type, Wide | 'bool' | 'string'>>(
    type: T,
    data: Tensor.DataTypeMap[T] | readonly number[],
    dims?: Dims,
  ): TypedTensor<T>;
  new (data: Float32Array, dims?: Dims): TypedTensor<'float32'>;
  new (data: Float64Array, dims?: Dims): TypedTensor<'float64'>;
  new (data: Int8Array, dims?: Dims): TypedTensor<'int8'>;
  new (data: Uint8Array | Uint8ClampedArray, dims?: Dims): TypedTensor<'uint8'>;
  new (data: Int16Array, dims?: Dims): TypedTensor<'int16'>;
  new (data: Uint16Array, dims?: Dims): TypedTensor<'uint16'>;
  new (data: Int32Array, dims?: Dims): TypedTensor<'int32'>;
  new (data: Uint32Array, dims?: Dims): TypedTensor<'uint32'>;
  new (data: BigInt64Array, dims?: Dims): TypedTensor<'int64'>;
  new (data: BigUint64Array, dims?: Dims): TypedTensor<'uint64'>;
  new (data: readonly string[], dims?: Dims): TypedTensor<'string'>;
  new (data: readonly boolean[], dims?: Dims): TypedTensor<'bool'>;
  new (type: Tensor.Type, data: Tensor.DataType | readonly Tensor.ElementType[], dims?: Dims): Tensor;
  new (data: Tensor.DataType, dims?: Dims): Tensor;
}

export const Tensor = CpuTensor as unknown as TensorConstructor;

export interface Tensor extends TypedTensor<Tensor.Type> {}

export namespace Tensor {
  /** The array that holds the elements of each type. */
  export interface DataTypeMap extends Omit<TensorDataMap, 'bfloat16'> {
    string: string[];
    int4: Int8Array;
    uint4: Uint8Array;
  }
  export type Type = keyof DataTypeMap;
  /** What one element is to JavaScript. */
  export type ElementTypeMap = {
    [T in Type]: T extends Wide ? bigint : T extends 'string' ? string : T extends 'bool' ? boolean : number;
  };
  export type DataType = DataTypeMap[Type];
  export type ElementType = ElementTypeMap[Type];
  export type CpuPinnedDataTypes = Exclude<Type, 'string'>;
  export type DataLocation = 'none' | 'cpu' | 'cpu-pinned' | 'texture' | 'gpu-buffer' | 'ml-tensor';
  export type TextureType = GlobalType<'WebGLTexture'>;
  export type GpuBufferType = GlobalType<
    'GPUBuffer',
    { size: number; mapState: 'unmapped' | 'pending' | 'mapped' }
  >;
  export type MLTensorType = GlobalType<'MLTensor', { destroy(): void }>;
}

/** What a session takes and gives; all values are tensors. */
export type OnnxValue = Tensor;
export type OnnxValueDataLocation = Tensor.DataLocation;
