import { packageVersion } from '../version.js';

const levels = ['verbose', 'info', 'warning', 'error', 'fatal'] as const;

/** Flags of onnxruntime-common, which may be read and set and change nothing: espalier logs nothing and has one backend. */
export interface Env {
  logLevel?: (typeof levels)[number];
  debug?: boolean;
  trace?: boolean;
  /** `common`: the version of onnxruntime-common whose interface this is. */
  readonly versions: { readonly common: string; readonly node: string; readonly espalier: string };
  readonly wasm: Record<string, unknown>;
  readonly webgl: Record<string, unknown>;
  readonly webgpu: Record<string, unknown>;
  [name: string]: unknown;
}

const common = '1.30.0';

export const env: Env = {
  logLevel: 'warning',
  versions: { common, node: common, espalier: packageVersion() },
  wasm: {},
  webgl: {},
  webgpu: {},
};
