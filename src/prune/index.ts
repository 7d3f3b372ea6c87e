export { findLayers, type Layer } from '../graph/layers.js';
export { analyzeLayer, type LayerAnalysis } from '../sparse/analyze.js';
export { type Pattern, parsePattern } from '../sparse/patterns.js';
export { applyPruning } from './apply.js';
export { type Importance, magnitude } from './importance.js';
export { isKept, type Mask, unitCount } from './mask.js';
export type { LayerPruneOptions, PruneOptions } from './options.js';
export { type PlannedLayer, type PlannedOptions, type PruningPlan, planPruning } from './plan.js';
export { formatPruningPlan, planTotals } from './print.js';
