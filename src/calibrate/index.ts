export {
  type Allocation,
  allocations,
  type CalibratedOptions,
  type PruneMethod,
  pruneMethods,
} from './options.js';
export { type CalibratedPruning, pruneCalibrated } from './prune.js';
export { parseRecipe, type Recipe, withHistory } from './recipe.js';
export { type Samples, samplesFrom } from './samples.js';
export type { SolvedLayer } from './solve.js';
export type { PruneState } from './state.js';
export { PruneStateFile } from './state_file.js';
