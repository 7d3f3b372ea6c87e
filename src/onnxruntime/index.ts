export * from './api.js';
// What `import ort from` gets, types included: programs for onnxruntime-node are written so too.
export * as default from './api.js';
