import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { EspalierError } from '../errors.js';
import type { WeightFormat, WeightStorage } from '../sparse/weight_formats.js';
import type { DataType } from '../tensor.js';
import type { NativeLinalg } from './linalg.js';

/** Where a tensor lies during a run: `index` counts the inputs, outputs or constants, `offset` is in bytes. */
export interface TensorRef {
  readonly space: 'arena' | 'input' | 'output' | 'constant' | 'planConstant';
  readonly index: number;
  readonly offset: number;
  readonly type: DataType;
  readonly dims: readonly number[];
}

/** One native operator applied to tensors; native/runtime/ops says what each one reads. */
export interface StepSpec {
  readonly op: string;
  /** The model's node, for messages. */
  readonly name: string;
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
  readonly ints: Readonly<Record<string, number | readonly number[]>>;
  readonly floats: Readonly<Record<string, number | readonly number[]>>;
  /** Ids that `addWeights` gave, one per group. */
  readonly weights: readonly number[];
}

export interface PlanSpec {
  readonly arenaBytes: number;
  readonly inputBytes: readonly number[];
  readonly outputBytes: readonly number[];
  /** The constants of this plan alone (`planConstant`). */
  readonly constants: readonly Uint8Array[];
  readonly steps: readonly StepSpec[];
}

/** native/addon/model_file_wrap.cc: a file's bytes, which all sessions of the process share. Throws EspalierError. */
export interface NativeModelFile {
  readonly size: number;
  readonly mapped: boolean;
  /** A copy of bytes [offset, offset + size). */
  read(offset: number, size: number): Uint8Array;
  /** Gives its memory back, or its mapping, unless a session still uses it. All else throws from then on. */
  release(): void;
}

/** A packed matrix whose sections lie in a file. */
export interface FileWeights extends Omit<PackedWeights, 'sections'> {
  readonly sections: Readonly<Record<string, { readonly offset: number; readonly size: number }>>;
}

/** native/addon/session_wrap.cc. Every method throws EspalierError. */
export interface NativeSession {
  /** Before all else: the file that the next two mean. */
  useFile(file: NativeModelFile): void;
  /** Numbers, used where they lie. */
  addFileConstant(offset: number, size: number): number;
  /** Checked, and used where they lie. */
  addFileWeights(weights: FileWeights): number;
  addConstant(bytes: Uint8Array): number;
  /** Element (r, c) is the float32 number `offset + r * rowStride + c * colStride` of `bytes`. */
  addWeights(
    bytes: Uint8Array,
    format: WeightFormat,
    storage: WeightStorage,
    rows: number,
    cols: number,
    offset: number,
    rowStride: number,
    colStride: number,
  ): number;
  /** Filters [rows, cols = channels x 3 x 3] for the step winograd_conv2d; the arguments of `addWeights`, format dense. */
  addWinogradWeights: NativeSession['addWeights'];
  removeWeights(id: number): void;
  weightsInfo(id: number): { readonly bytes: number; readonly storedValues: number };
  createPlan(spec: PlanSpec): number;
  releasePlan(plan: number): void;
  runSync(plan: number, inputs: readonly ArrayBufferView[], outputs: readonly ArrayBufferView[]): void;
  /** A `runSync` that gives the seconds each step took. */
  profile(
    plan: number,
    inputs: readonly ArrayBufferView[],
    outputs: readonly ArrayBufferView[],
  ): Float64Array;
  /** The arrays must not be touched until the promise settles. */
  run(plan: number, inputs: readonly ArrayBufferView[], outputs: readonly ArrayBufferView[]): Promise<void>;
  release(): void;
}

export interface NativeAddon extends NativeLinalg {
  /** Instruction sets this build has and this CPU can run, slowest first. */
  availableIsas(): string[];
  /** Helper threads spin for `spinMicroseconds` after a run before they park. */
  readonly NativeSession: new (
    isa: string,
    threads: number,
    spinMicroseconds: number,
  ) => NativeSession;
  /** A file, mapped when asked for and possible, or a copy of its bytes. */
  readonly NativeModelFile: new (
    pathOrBytes: string | Uint8Array,
    map?: boolean,
  ) => NativeModelFile;
  /** The view is that of `addWeights`. */
  packWeights(
    bytes: Uint8Array,
    format: WeightFormat,
    storage: WeightStorage,
    rows: number,
    cols: number,
    offset: number,
    rowStride: number,
    colStride: number,
  ): PackedWeights;
  /** Writes the dense matrix, [rows, cols] row-major; what is packed may be anything, and is checked. */
  unpackWeights(packed: PackedWeights, matrix: Float32Array): void;
  /** Gives a buffer's memory back at once; it and the views of it are empty from then on. */
  freeBuffer(buffer: ArrayBufferLike): void;
  /** The columns of block and sell weights in a shorter form: the section `gaps` in the place of `columns`. */
  columnGaps(packed: PackedWeights): Uint8Array;
}

/** A weight matrix as kernels read it. */
export interface PackedWeights {
  readonly format: WeightFormat;
  readonly storage: WeightStorage;
  readonly rows: number;
  readonly cols: number;
  /** Columns of a block of sell; 0 in other formats. */
  readonly blockCols: number;
  /** Rows of a chunk of sell; 0 in other formats. */
  readonly chunkRows: number;
  /** Little-endian, each aligned to 64 bytes. */
  readonly sections: Readonly<Record<string, Uint8Array>>;
}

/** Where the build puts the addon. */
export const addonPath = fileURLToPath(new URL('../../build/Release/espalier.node', import.meta.url));

let loaded: NativeAddon | undefined;

/**
 * Loads the addon once per thread.
 * @throws EspalierError ERR_ESPALIER_NATIVE when it was not built or cannot run here.
 */
export function loadAddon(): NativeAddon {
  if (loaded === undefined) {
    try {
      const addon = createRequire(import.meta.url)(addonPath) as NativeAddon & {
        setErrorClass(errorClass: typeof EspalierError): void;
      };
      addon.setErrorClass(EspalierError);
      loaded = addon;
    } catch (cause) {
      throw new EspalierError(
        'ERR_ESPALIER_NATIVE',
        `Expected the native addon at ${addonPath}; it could not be loaded on ${process.platform}-${process.arch}: ` +
          `${cause instanceof Error ? cause.message : String(cause)}. Build it with "npm rebuild espalier" ` +
          '(needs g++, make and python3), or see "espalier doctor".',
        { cause },
      );
    }
  }
  return loaded;
}

/**
 * Frees arrays that nothing needs any more now: the collector sees small objects and would take its time. Not small
 * arrays, whose buffer Node may share among many (those of its pool, of 8 KiB).
 */
export function freeArrays(...arrays: readonly ArrayBufferView[]): void {
  const large = 2 ** 16; // bytes
  for (const buffer of new Set(arrays.map((array) => array.buffer)))
    if (buffer.byteLength >= large) loadAddon().freeBuffer(buffer);
}
