export {
  decodeEsp,
  type EspFile,
  isCompiled,
  isCompiledBytes,
  readHeader,
  type StoredWeight,
  type Unpack,
} from './decode.js';
export {
  type EspBytes,
  type EspContent,
  encodeEsp,
  type PackedSections,
  type WeightContent,
} from './encode.js';
export { type CompiledFor, espVersion, type WeightEntry, type WeightView } from './layout.js';
export type { PackedPlace, Range } from './places.js';
export { type ByteSource, checkHash } from './verify.js';
