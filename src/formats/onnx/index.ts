export { exportOnnx } from './export.js';
export { type ImportOptions, importOnnx, readOnnx } from './import.js';
