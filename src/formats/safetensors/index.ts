export { decodeSafetensors, type SafetensorsFile } from './decode.js';
export { type EncodeOptions, encodeHeader, encodeSafetensors } from './encode.js';
export {
  decodeHeader,
  headerEnd,
  isSafetensors,
  type SafetensorsEntry,
  type SafetensorsHeader,
} from './header.js';
export { encodeShards, isShardName, readSafetensors, readShards } from './shards.js';
