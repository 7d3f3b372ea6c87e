import type { Graph } from '../graph/graph.js';
import { idleOptions, type Needs } from '../options.js';
import { type ImportanceName, methodTraits } from '../prune/methods.js';
import type { StructuredPlan } from '../prune/structured/plan.js';
import type { BlockPlan } from '../prune/structured/plan_blocks.js';
import { type Allocation, type CalibratedOptions, parseCalibratedOptions } from './options.js';
import { pruneCalibrated } from './prune.js';
import type { CalibratedPruning } from './run.js';
import type { Samples } from './samples.js';
import {
  idleStructureOptions,
  parseStructureOptions,
  type StructureOptions,
  structureOf,
} from './structured/options.js';
import { pruneStructure, type StructurePruning } from './structured/prune.js';
import { isLatency, parseTarget } from './target/options.js';
import { type MetTarget, pruneToTarget } from './target/prune.js';
import type { TargetOptions } from './target/target_options.js';

/** One step of a recipe: options of `pruneCalibrated`, with a target of `pruneToTarget`, with a structure of `pruneStructure`. */
export type Stage = CalibratedOptions | TargetOptions | StructureOptions;

/** What a stage made of a graph: zeros among its weights, or a smaller one. */
export type StagePruning =
  | (CalibratedPruning & { readonly kind: 'weights'; readonly target?: MetTarget | undefined })
  | StructurePruning;

/** What a stage did, whichever kind it is. */
export type StagePlan = CalibratedPruning['plan'] | StructuredPlan | BlockPlan;

export function isStructureStage(stage: Stage): stage is StructureOptions {
  return structureOf(stage.pattern) !== undefined;
}

/**
 * Prunes as a stage says.
 * @throws EspalierError as `pruneCalibrated`, `pruneToTarget` and `pruneStructure` do
 */
export async function pruneStage(graph: Graph, samples: Samples, stage: Stage): Promise<StagePruning> {
  if (isStructureStage(stage)) return pruneStructure(graph, samples, stage);
  const pruned =
    'target' in stage
      ? await pruneToTarget(graph, samples, stage)
      : await pruneCalibrated(graph, samples, stage);
  return { kind: 'weights', ...pruned };
}

type ResolvedMasks = ReturnType<typeof resolveMasks>;

/** Options of masks, with what a target adds to them. */
function resolveMasks(options: CalibratedOptions | TargetOptions, where?: string) {
  const { target, shapes: _shapes, meter: _meter, ...rest } = options as TargetOptions;
  const spread: Allocation | 'latency' = options.allocation ?? 'uniform';
  const allocation = spread === 'latency' ? 'uniform' : spread;
  const sparsity = target === undefined ? {} : { sparsity: 0 };
  const checked = parseCalibratedOptions({ ...rest, allocation, ...sparsity }, where);
  return { ...checked, spread, target: target === undefined ? undefined : parseTarget(target) };
}

const otherThanUniform = 'an allocation other than uniform';

const needs: Needs<ResolvedMasks> = {
  minSparsity: [otherThanUniform, ({ allocation }) => allocation !== 'uniform'],
  maxSparsity: [
    `${otherThanUniform}, or a target`,
    ({ allocation, target }) => allocation !== 'uniform' || target !== undefined,
  ],
  sensitivity: [
    'the allocation sensitivity or latency',
    ({ spread }) => spread === 'sensitivity' || spread === 'latency',
  ],
  rows: ['calibration data that a method or a fit uses', ({ needsData }) => needsData],
  seed: ['the method random', ({ method }) => method === 'random'],
  gradients: [
    'a method of gradients',
    ({ method, chooser }) =>
      chooser === undefined && methodTraits(method as ImportanceName).needs === 'gradients',
  ],
  damping: ['the method sparsegpt or admm', ({ chooser }) => chooser !== undefined],
  ridge: [
    'a refit, low rank or the method admm',
    ({ refit, rank, chooser }) => refit || rank > 0 || chooser === 'admm',
  ],
};

/**
 * Options of a stage that do nothing, each with what it is of no use without.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for options that are wrong
 */
export function idleStageOptions(stage: Stage, where?: string): Map<string, string> {
  if (isStructureStage(stage)) return idleStructureOptions(stage, where);
  return idleOptions(stage, resolveMasks(stage, where), needs);
}

/** Whether samples change what a stage does. */
export function usesData(stage: Stage): boolean {
  if (isStructureStage(stage)) return parseStructureOptions(stage).usesData;
  const { needsData, target } = resolveMasks(stage);
  return needsData || (target !== undefined && isLatency(target.quantity));
}
