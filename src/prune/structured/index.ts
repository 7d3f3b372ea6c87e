export type { Shapes } from './analyze.js';
export { applyStructuredPruning } from './apply.js';
export { findBlocks, type ResidualBlock } from './blocks.js';
export { type Cost, costOf } from './cost.js';
export {
  findGroups,
  type GroupAxis,
  type GroupMember,
  type GroupOptions,
  type StructuredGroup,
  type UnitKind,
} from './groups.js';
export { activationTaylor, type GroupImportance, groupScale, groupTaylor } from './importance.js';
export { maskStructuredPruning } from './mask.js';
export type { StructuredPruneOptions } from './options.js';
export {
  type PlannedGroup,
  type PlannedStructuredOptions,
  planStructuredPruning,
  type StructuredPlan,
} from './plan.js';
export {
  applyBlockPruning,
  type BlockPlan,
  type BlockPruneOptions,
  planBlockPruning,
} from './plan_blocks.js';
export { formatBlockPlan, formatGroups, formatStructuredPlan } from './print.js';
