export { EspalierError } from '../errors.js';
export { type Backend, espalierBackend } from './backend.js';
export { type Env, env } from './env.js';
export type { SessionHandler } from './handler.js';
export { InferenceSession } from './session.js';
export { Tensor } from './tensor.js';
export type { TensorConstructor, TypedTensor } from './tensor_types.js';
