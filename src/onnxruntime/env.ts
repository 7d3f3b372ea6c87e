import { EspalierError } from '../errors.js';
import { packageVersion } from '../version.js';
import type { GlobalType } from './globals.js';

const levels = ['verbose', 'info', 'warning', 'error', 'fatal'] as const;

/** Flags of onnxruntime-common, which may be read and set and change nothing: espalier logs nothing and has one backend. */
export interface Env {
  /** @throws EspalierError ERR_ESPALIER_ARGUMENT when it is set to something else */
  logLevel?: (typeof levels)[number];
  debug?: boolean;
  trace?: boolean;
  /** `common`: the version of onnxruntime-common whose interface this is. */
  readonly versions: {
    readonly common: string;
    readonly node: string;
    readonly espalier: string;
    readonly web?: string;
    readonly 'react-native'?: string;
  };
  readonly wasm: Env.WebAssemblyFlags;
  readonly webgl: Env.WebGLFlags;
  readonly webgpu: Env.WebGpuFlags;
  [name: string]: unknown;
}

/** Flags of backends of browsers: objects that are empty until something is set. */
export namespace Env {
  type Place = string | GlobalType<'URL', never>;
  export type WasmPrefixOrFilePaths = string | { wasm?: Place; mjs?: Place };
  export interface WebAssemblyFlags {
    numThreads?: number;
    simd?: boolean | 'fixed' | 'relaxed';
    trace?: boolean;
    initTimeout?: number;
    wasmPaths?: WasmPrefixOrFilePaths;
    wasmBinary?: ArrayBufferLike | Uint8Array;
    proxy?: boolean;
  }
  export interface WebGLFlags {
    readonly context: GlobalType<'WebGLRenderingContext'>;
    [flag: string]: unknown;
  }
  export interface WebGpuFlags {
    profiling: { mode?: 'off' | 'default' };
    adapter: GlobalType<'GPUAdapter'>;
    get device(): Promise<GlobalType<'GPUDevice'>>;
    set device(value: GlobalType<'GPUDevice'>);
    [flag: string]: unknown;
  }
}

const common = '1.30.0';
let logLevel: Env['logLevel'] = 'warning';

const flags = {
  versions: { common, node: common, espalier: packageVersion() },
  wasm: {},
  webgl: {},
  webgpu: {},
  get logLevel() {
    return logLevel;
  },
  // As in onnxruntime-common, undefined leaves the level as it is.
  set logLevel(level) {
    if (level !== undefined && !levels.includes(level))
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected env.logLevel to be one of ${levels.join(', ')}, got ${String(level)}`,
      );
    logLevel = level ?? logLevel;
  },
};

export const env = flags as unknown as Env;
