import { EspalierError } from '../../errors.js';
import { blockInfluence } from '../../evaluate/block_influence.js';
import type { Graph } from '../../graph/graph.js';
import { groupScale, groupTaylor } from '../../prune/structured/importance.js';
import type { StructuredPruneOptions } from '../../prune/structured/options.js';
import type { BlockPruneOptions } from '../../prune/structured/plan_blocks.js';
import { measuredImportance } from '../importance.js';
import type { Samples } from '../samples.js';
import type { ResolvedStructureOptions } from './options.js';

/** How a method judges whole units. */
export async function unitScores(
  graph: Graph,
  samples: Samples,
  { method, gradients, seed, rows, threads, onProgress }: ResolvedStructureOptions,
): Promise<Pick<StructuredPruneOptions, 'importance' | 'groupImportance' | 'side'>> {
  if (method === 'bn') return { groupImportance: groupScale };
  if (method === 'taylor' && gradients !== undefined) return { groupImportance: groupTaylor(gradients) };
  const options = { samples, gradients, seed, rows, threads, onProgress };
  const importance = await measuredImportance(graph, method, options);
  // How an output differs from others says nothing of the inputs it takes, and what varies are inputs.
  if (method === 'fpgm') return { importance, side: 'output' };
  return method === 'flap' ? { importance, side: 'input' } : { importance };
}

/** Scores of residual blocks: those that were given, else their influence on data. */
export async function blockScores(
  graph: Graph,
  samples: Samples,
  { scores, onProgress }: ResolvedStructureOptions,
): Promise<BlockPruneOptions['scores']> {
  if (scores !== undefined) return scores;
  if (samples.length > 0)
    return blockInfluence(graph, samples, (done) => onProgress?.(done / samples.length));
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    'Expected calibration data or scores for the pattern layer, got none: weights alone do not tell which residual block matters',
  );
}
