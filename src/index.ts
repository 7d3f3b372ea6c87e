export { EspalierError, type EspalierErrorCode, errorCodes } from './errors.js';
export type { LayerExplanation } from './explain.js';
export {
  InferenceSession,
  type StepProfile,
  type ValueMetadata,
} from './session.js';
export type { Isa, SessionOptions, TuneMode } from './session_options.js';
export type { RunOptions } from './session_outputs.js';
export { type DataType, Tensor, type TensorDataMap, type TensorMap } from './tensor.js';
