export { type Structure, type StructureOptions, structureForms, structureOf } from './options.js';
export { pruneStructure, type StructurePruning } from './prune.js';
