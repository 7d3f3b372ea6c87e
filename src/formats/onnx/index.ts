export { type ExportOptions, type ExternalPlace, exportOnnx } from './export.js';
export { type ImportOptions, importOnnx, type ResolveConstant, readOnnx } from './import.js';
