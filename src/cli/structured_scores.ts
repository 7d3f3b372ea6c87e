import { readFile } from 'node:fs/promises';
import { measuredImportance } from '../calibrate/index.js';
import { EspalierError } from '../errors.js';
import { blockInfluence } from '../evaluate/block_influence.js';
import type { Graph } from '../graph/graph.js';
import { importanceNames } from '../prune/methods.js';
import { groupScale, groupTaylor } from '../prune/structured/importance.js';
import type { StructuredPruneOptions } from '../prune/structured/options.js';
import type { BlockPruneOptions } from '../prune/structured/plan_blocks.js';
import { readGradients, readSamples } from './data.js';
import { fileError, type Io } from './io.js';
import { showProgress } from './progress.js';
import type { StructuredArguments } from './prune_structured.js';

/** How a method judges whole units. */
export async function unitScores(
  graph: Graph,
  { method = 'magnitude', calibration, gradients: files, seed, threads }: StructuredArguments,
  io: Io,
): Promise<Pick<StructuredPruneOptions, 'importance' | 'groupImportance' | 'side'>> {
  const known = importanceNames.find((name) => name === method);
  if (known === undefined) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected another method than ${method} for channels, neurons and heads, as it chooses single weights`,
    );
  }
  const gradients = await readGradients(files);
  if (method === 'bn') return { groupImportance: groupScale };
  if (method === 'taylor' && gradients !== undefined) return { groupImportance: groupTaylor(gradients) };
  const samples = await readSamples(calibration, graph);
  const progress = showProgress(io, 'statistics');
  try {
    const onProgress = progress.update;
    const importance = await measuredImportance(graph, known, {
      samples,
      gradients,
      seed,
      threads,
      onProgress,
    });
    // How an output differs from others says nothing of the inputs it takes, and what varies are inputs.
    if (method === 'fpgm') return { importance, side: 'output' };
    return method === 'flap' ? { importance, side: 'input' } : { importance };
  } finally {
    progress.stop();
  }
}

/** Scores of residual blocks: those of the file, else their influence on data. */
export async function blockScores(
  graph: Graph,
  { scores, calibration }: StructuredArguments,
  io: Io,
): Promise<BlockPruneOptions['scores']> {
  if (scores !== undefined) return readScores(scores);
  const samples = await readSamples(calibration, graph);
  if (samples.length === 0) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      'Expected --calibration or --scores for the pattern layer: weights alone do not tell which residual block matters',
    );
  }
  const progress = showProgress(io, 'block influence');
  try {
    return await blockInfluence(graph, samples, (done) => progress.update(done / samples.length));
  } finally {
    progress.stop();
  }
}

async function readScores(file: string): Promise<BlockPruneOptions['scores']> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as BlockPruneOptions['scores']; // checked by the plan
  } catch (cause) {
    throw fileError('JSON in', file, cause);
  }
}
