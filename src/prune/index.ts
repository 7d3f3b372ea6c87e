export { findLayers, type Layer } from '../graph/layers.js';
export { analyzeLayer, type LayerAnalysis } from '../sparse/analyze.js';
export { type Pattern, parsePattern } from '../sparse/patterns.js';
export { type AllocatedLayer, type AllocationOptions, allocateSparsity } from './allocation.js';
export { applyPruning } from './apply.js';
export { type Importance, magnitude, magnitudeLp, random } from './importance.js';
export {
  type ActivationStatistics,
  activationNorm,
  fluctuation,
  type InputStatistics,
  ria,
  wanda,
} from './importance_activation.js';
export {
  fisher,
  type GradientBatches,
  type Gradients,
  snip,
  snipMomentum,
  taylor,
} from './importance_gradient.js';
export { batchNormScale, fpgm, lamp } from './importance_structure.js';
export { isKept, type Mask, unitCount } from './mask.js';
export { masksOf, planMasks } from './masks.js';
export { type ImportanceContext, type ImportanceName, importanceByName, importanceNames } from './methods.js';
export type { LayerPruneOptions, PruneOptions, PruneScope } from './options.js';
export * from './permute/index.js';
export { type PlannedLayer, type PlannedOptions, type PruningPlan, planPruning } from './plan.js';
export { formatPruningPlan, planTotals } from './print.js';
export {
  isPruningStep,
  type Schedule,
  type ScheduleName,
  scheduleNames,
  sparsityAt,
  stageSparsities,
} from './schedule.js';
export * from './structured/index.js';
