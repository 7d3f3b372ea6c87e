export { EspalierError, type EspalierErrorCode, errorCodes } from './errors.js';
export {
  InferenceSession,
  type Isa,
  type SessionOptions,
  type StepProfile,
  type TensorMap,
  type ValueMetadata,
} from './session.js';
export { type DataType, Tensor, type TensorDataMap } from './tensor.js';
