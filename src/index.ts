export { EspalierError, type EspalierErrorCode, errorCodes } from './errors.js';
export type { LayerExplanation } from './explain.js';
export {
  InferenceSession,
  type StepProfile,
  type TensorMap,
  type ValueMetadata,
} from './session.js';
export type { Isa, SessionOptions, TuneMode } from './session_options.js';
export { type DataType, Tensor, type TensorDataMap } from './tensor.js';
