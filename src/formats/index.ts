export { encodeAs, type WrittenFormat } from './convert.js';
export { decodeNpy, decodeNpz, encodeNpy, encodeNpz, type NpzOptions } from './npz/index.js';
export { type FileContent, openFile, tensorsOf } from './open.js';
export {
  decodeSafetensors,
  type EncodeOptions,
  encodeSafetensors,
  encodeShards,
  readSafetensors,
  type SafetensorsFile,
} from './safetensors/index.js';
export { decodeTensors, readTensors, type TensorFileFormat, tensorFileFormat } from './tensor_files.js';
