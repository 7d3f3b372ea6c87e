import { EspalierError } from '../errors.js';
import { createHandler } from './handler.js';
import type { InferenceSession } from './inference_session.js';
import type { OnnxValue } from './tensor.js';

export namespace SessionHandler {
  export type FeedsType = { [name: string]: OnnxValue };
  export type FetchesType = { [name: string]: OnnxValue | null };
  export type ReturnType = { [name: string]: OnnxValue };
}

/** A session as backends give it to onnxruntime-common. */
export interface InferenceSessionHandler extends Omit<InferenceSession, 'run' | 'release'> {
  run(
    feeds: SessionHandler.FeedsType,
    fetches: SessionHandler.FetchesType,
    options?: InferenceSession.RunOptions,
  ): Promise<SessionHandler.ReturnType>;
  dispose(): Promise<void>;
}

/** Loads sessions for onnxruntime-common's `InferenceSession`. */
export interface Backend {
  init(backendName: string): Promise<void>;
  createInferenceSessionHandler(
    uriOrBuffer: string | Uint8Array,
    options?: InferenceSession.SessionOptions,
  ): Promise<InferenceSessionHandler>;
}

/**
 * Espalier for the package onnxruntime-common, and so for onnxruntime-node, which exports the same `registerBackend`:
 * after `registerBackend('espalier', espalierBackend, -1)` the option `executionProviders: ['espalier']` runs a session
 * here. A negative priority keeps it from sessions that name no provider.
 */
export const espalierBackend: Backend = {
  init: async () => {},
  createInferenceSessionHandler: createHandler,
};

/** The execution providers whose names a session here takes, both of them espalier. */
export const backendNames: readonly string[] = ['cpu', 'espalier'];

/** As in onnxruntime-node: the names, and that each comes with the package. */
export function listSupportedBackends(): { name: string; bundled: boolean }[] {
  return backendNames.map((name) => ({ name, bundled: true }));
}

/**
 * Sessions here run on espalier alone, so its own backend may be registered under its own names, which changes nothing.
 * @throws EspalierError ERR_ESPALIER_UNSUPPORTED for another backend or name
 */
export function registerBackend(name: string, backend: Backend, _priority: number): void {
  if (backend === espalierBackend && backendNames.includes(name)) return;
  const got = backend === espalierBackend ? `the name "${name}"` : `another backend for "${name}"`;
  throw new EspalierError(
    'ERR_ESPALIER_UNSUPPORTED',
    `Expected espalierBackend under the name ${backendNames.join(' or ')}, got ${got}: ` +
      'other backends are registered with onnxruntime-common',
  );
}
