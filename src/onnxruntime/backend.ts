import { createHandler, type SessionHandler } from './handler.js';

/** Loads sessions for onnxruntime-common's `InferenceSession`. */
export interface Backend {
  init(backendName: string): Promise<void>;
  createInferenceSessionHandler(uriOrBuffer: string | Uint8Array, options?: object): Promise<SessionHandler>;
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
