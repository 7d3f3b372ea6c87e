export { type ExportOptions, type ExternalPlace, exportOnnx } from './export.js';
export {
  type ImportOptions,
  importOnnx,
  importOnnxBeside,
  type ResolveConstant,
  readOnnx,
} from './import.js';
export { exportOnnxSplit, type SplitOnnx } from './split.js';
export { type OnnxStorage, readOnnxStorage } from './storage.js';
