import { EspalierError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { applyPruning } from '../prune/apply.js';
import { recalibrateBatchNorm } from './batch_norm.js';
import { runKey } from './key.js';
import { type CalibratedOptions, parseCalibratedOptions } from './options.js';
import { planCalibrated } from './plan.js';
import { type CalibratedPruning, CalibratedRun } from './run.js';
import type { Samples } from './samples.js';

/**
 * Prunes a graph by what its layers see on calibration data, and fits what is kept so that the network computes what it
 * did: see {@link solveLayer}. Layers are taken in order, each with its inputs in the network pruned so far; those that
 * share their input take it together. Between layers the activations of one point of the network are kept, as far as
 * `activationBytes` goes, so that each part of it runs once.
 * The same inputs give the same bits on every machine but for what the network itself computes.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT, _INPUT (data that are missing, or not finite), _UNSUPPORTED
 */
export async function pruneCalibrated(
  graph: Graph,
  samples: Samples,
  options: CalibratedOptions,
): Promise<CalibratedPruning> {
  const resolved = parseCalibratedOptions(options);
  const { state, onProgress } = resolved;
  if (resolved.needsData && samples.length === 0) {
    throw new EspalierError(
      'ERR_ESPALIER_INPUT',
      `Expected calibration data for method ${resolved.method}${resolved.refit ? ' with refit' : ''}, got no samples`,
    );
  }
  await state?.begin(runKey(graph, samples, options));
  const planned = await planCalibrated(graph, samples, resolved, (share) => onProgress?.(share * 0.05));
  const end = resolved.recalibrateBatchNorm ? 0.9 : 1;
  const result = resolved.solves
    ? await new CalibratedRun(graph, samples, resolved, planned).prune((share) =>
        onProgress?.(0.05 + (end - 0.05) * share),
      )
    : { graph: applyPruning(graph, planned.plan), plan: planned.plan };
  if (!resolved.recalibrateBatchNorm) return result;
  const recalibrated = await recalibrateBatchNorm(result.graph, samples, {
    threads: resolved.threads,
    reference: graph,
    activationBytes: resolved.activationBytes,
    onProgress: (share) => onProgress?.(end + (1 - end) * share),
  });
  return { ...result, graph: recalibrated };
}
