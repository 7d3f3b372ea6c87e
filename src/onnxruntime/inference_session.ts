import type { SessionOptions as EspalierOptions } from '../session_options.js';
import { EspalierSession } from './espalier_session.js';
import type { GlobalType } from './globals.js';
import type { OnnxValue, OnnxValueDataLocation, Tensor } from './tensor.js';

/** A session with the members of onnxruntime-common's, which runs on espalier. */
export interface InferenceSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata: readonly InferenceSession.ValueMetadata[];
  readonly outputMetadata: readonly InferenceSession.ValueMetadata[];
  /**
   * Runs the model on a thread of its own. `fetches` names the outputs to return, or gives tensors that they are written
   * to; all are returned without it. A scalar input takes one element under any dims.
   * @throws EspalierError (a rejection) as `run` of `espalier`
   */
  run(
    feeds: InferenceSession.FeedsType,
    options?: InferenceSession.RunOptions,
  ): Promise<InferenceSession.ReturnType>;
  run(
    feeds: InferenceSession.FeedsType,
    fetches: InferenceSession.FetchesType,
    options?: InferenceSession.RunOptions,
  ): Promise<InferenceSession.ReturnType>;
  release(): Promise<void>;
  /** These do nothing, as in onnxruntime-node. */
  startProfiling(): void;
  endProfiling(): void;
}

/**
 * Loads a model from a path, or from bytes; `byteOffset` and `byteLength` take a part of a buffer.
 * @throws EspalierError (a rejection) as `InferenceSession.create` of `espalier`
 */
export interface InferenceSessionFactory {
  create(path: string, options?: InferenceSession.SessionOptions): Promise<InferenceSession>;
  create(
    bytes: Uint8Array | ArrayBufferLike,
    options?: InferenceSession.SessionOptions,
  ): Promise<InferenceSession>;
  create(
    buffer: ArrayBufferLike,
    byteOffset: number,
    byteLength?: number,
    options?: InferenceSession.SessionOptions,
  ): Promise<InferenceSession>;
}

export const InferenceSession: InferenceSessionFactory = EspalierSession;

export namespace InferenceSession {
  export type OnnxValueMapType = { readonly [name: string]: OnnxValue };
  export type NullableOnnxValueMapType = { readonly [name: string]: OnnxValue | null };
  export type FeedsType = OnnxValueMapType;
  export type FetchesType = readonly string[] | NullableOnnxValueMapType;
  export type ReturnType = OnnxValueMapType;

  export interface NonTensorValueMetadata {
    readonly name: string;
    readonly isTensor: false;
  }
  export interface TensorValueMetadata {
    readonly name: string;
    readonly isTensor: true;
    readonly type: Tensor.Type;
    /** Numbers, and names of symbolic dims; empty when even the rank is unknown. */
    readonly shape: readonly (number | string)[];
  }
  /** Espalier's values are all tensors. */
  export type ValueMetadata = NonTensorValueMetadata | TensorValueMetadata;

  /** Options of one run, all accepted; a run that is asked to terminate rejects. */
  export interface RunOptions {
    logSeverityLevel?: 0 | 1 | 2 | 3 | 4;
    logVerbosityLevel?: number;
    terminate?: boolean;
    tag?: string;
    extra?: Record<string, unknown>;
  }

  /** Options of onnxruntime-common's sessions; which of them espalier uses is said at each. */
  export interface SessionOptions {
    /**
     * Names, or objects with a name. `cpu` and `espalier` are here; others are passed over with a warning when one of
     * these two is named as well. `{ name: 'espalier', ... }` takes espalier's own session options.
     */
    executionProviders?: readonly ExecutionProviderConfig[];
    /** Threads of a run; 0 and the default are the CPUs of the process. */
    intraOpNumThreads?: number;
    /** Not used: steps run in order, each on all threads. */
    interOpNumThreads?: number;
    executionMode?: 'sequential' | 'parallel';
    /** Not used: shapes are fixed when the first feeds of these shapes come. */
    freeDimensionOverrides?: Readonly<Record<string, number>>;
    /** Not used: a plan is always fused. */
    graphOptimizationLevel?: 'disabled' | 'basic' | 'extended' | 'layout' | 'all';
    /** Not used: a plan has one arena, laid out beforehand. */
    enableCpuMemArena?: boolean;
    enableMemPattern?: boolean;
    /** Not used: nothing is logged. */
    logId?: string;
    logSeverityLevel?: 0 | 1 | 2 | 3 | 4;
    logVerbosityLevel?: number;
    /** Not used: it is for GPUs. */
    enableGraphCapture?: boolean;
    /** Not used: the entries are onnxruntime's own. */
    extra?: Record<string, unknown>;
    /** `cpu`, for all outputs or by name; other places are refused. */
    preferredOutputLocation?: OnnxValueDataLocation | Readonly<Record<string, OnnxValueDataLocation>>;
    /** Refused when true: `profile` of espalier's own session says how long each step takes. */
    enableProfiling?: boolean;
    profileFilePrefix?: string;
    /** Refused: plans are not ONNX models. */
    optimizedModelFilePath?: string;
    /** Refused: a model with external data is opened by its path, beside its files. */
    externalData?: readonly (string | { path: string; data: ExternalData })[];
  }
  type ExternalData = string | Uint8Array | ArrayBufferLike | GlobalType<'Blob', never>;

  export type ExecutionProviderConfig =
    | ExecutionProviderOptionMap[ExecutionProviderName]
    | ExecutionProviderOption
    | string;
  export type ExecutionProviderName = keyof ExecutionProviderOptionMap;
  export interface ExecutionProviderOption {
    readonly name: string;
  }
  /** Sessions run on espalier under this name and `cpu`; this one takes espalier's own session options. */
  export interface EspalierExecutionProviderOption extends ExecutionProviderOption, EspalierOptions {
    readonly name: 'espalier';
  }
  /** Options of a provider of onnxruntime, which are not looked at. */
  type Foreign<Name extends string> = { readonly name: Name; [option: string]: unknown };
  export type CpuExecutionProviderOption = Foreign<'cpu'> & { useArena?: boolean };
  export type CudaExecutionProviderOption = Foreign<'cuda'> & { deviceId?: number };
  export type DmlExecutionProviderOption = Foreign<'dml'> & { deviceId?: number };
  export type TensorRtExecutionProviderOption = Foreign<'tensorrt'> & { deviceId?: number };
  export type CoreMLExecutionProviderOption = Foreign<'coreml'>;
  export type NnapiExecutionProviderOption = Foreign<'nnapi'>;
  export type QnnExecutionProviderOption = Foreign<'qnn'>;
  export type WebAssemblyExecutionProviderOption = Foreign<'wasm'>;
  export type WebGLExecutionProviderOption = Foreign<'webgl'>;
  export type WebGpuExecutionProviderOption = Foreign<'webgpu'>;
  export type WebNNExecutionProviderOption = Foreign<'webnn'>;
  export type XnnpackExecutionProviderOption = Foreign<'xnnpack'>;
  export interface ExecutionProviderOptionMap {
    espalier: EspalierExecutionProviderOption;
    cpu: CpuExecutionProviderOption;
    cuda: CudaExecutionProviderOption;
    dml: DmlExecutionProviderOption;
    tensorrt: TensorRtExecutionProviderOption;
    coreml: CoreMLExecutionProviderOption;
    nnapi: NnapiExecutionProviderOption;
    qnn: QnnExecutionProviderOption;
    wasm: WebAssemblyExecutionProviderOption;
    webgl: WebGLExecutionProviderOption;
    webgpu: WebGpuExecutionProviderOption;
    webnn: WebNNExecutionProviderOption;
    xnnpack: XnnpackExecutionProviderOption;
  }
}
