export { countNetwork } from './count.js';
export { type Meter, sessionMeter, type TimedStep } from './meter.js';
export { type PruneTarget, type Quantity, quantities } from './options.js';
export { type MetTarget, pruneToTarget, type TargetPruning } from './prune.js';
export { pruneStructuredToTarget, type StructuredTargetOptions } from './structured.js';
export { type LayerTimes, measureTimes, predictedTime, type TimePoint, type TimeTable } from './table.js';
export type { TargetOptions } from './target_options.js';
