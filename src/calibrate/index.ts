export { type RecalibrateOptions, recalibrateBatchNorm } from './batch_norm.js';
export { pushConstants } from './constants.js';
export { measuredImportance } from './importance.js';
export type { LowRank } from './low_rank.js';
export {
  type Allocation,
  allocations,
  type CalibratedOptions,
  type Compensation,
  type PruneMethod,
  pruneMethods,
} from './options.js';
export { pruneCalibrated } from './prune.js';
export { parseRecipe, plainStages, type Recipe, scheduledStages } from './recipe.js';
export type { CalibratedPruning } from './run.js';
export { type Samples, samplesFrom } from './samples.js';
export * from './sensitivity/index.js';
export type { SolvedLayer } from './solve.js';
export {
  idleStageOptions,
  isStructureStage,
  pruneStage,
  type Stage,
  type StagePlan,
  type StagePruning,
  usesData,
} from './stage.js';
export type { Measurement, PruneState } from './state.js';
export { PruneStateFile } from './state_file.js';
export * from './structured/index.js';
export * from './target/index.js';
