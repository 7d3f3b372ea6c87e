export { EspalierError } from '../errors.js';
export {
  type Backend,
  espalierBackend,
  type InferenceSessionHandler,
  listSupportedBackends,
  registerBackend,
  type SessionHandler,
} from './backend.js';
export { type Env, env } from './env.js';
export { InferenceSession, type InferenceSessionFactory } from './inference_session.js';
export {
  type OnnxValue,
  type OnnxValueDataLocation,
  Tensor,
  type TensorConstructor,
  type TensorFactory,
  type TypedTensor,
} from './tensor.js';
