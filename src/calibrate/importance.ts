import { availableParallelism } from 'node:os';
import { EspalierError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { findLayers } from '../graph/layers.js';
import type { Importance } from '../prune/importance.js';
import type { GradientBatches } from '../prune/importance_gradient.js';
import { type ImportanceName, importanceByName, methodTraits } from '../prune/methods.js';
import type { Samples } from './samples.js';
import { activationStatistics, sightedTargets } from './statistics.js';

/**
 * An importance by its name, with the statistics it may need collected on samples: for planning by other means than
 * `pruneCalibrated`, such as channels.
 * @param rows (tokens, pixels) of each layer that are taken of all samples together, about
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for methods that need gradients, and there are none; _INPUT for those that
 *   need samples; _UNSUPPORTED when a layer's inputs cannot be seen
 */
export async function measuredImportance(
  graph: Graph,
  method: ImportanceName,
  {
    samples = [],
    gradients,
    seed,
    rows = 32768,
    threads = availableParallelism(),
    onProgress,
  }: {
    readonly samples?: Samples | undefined;
    readonly gradients?: GradientBatches | undefined;
    readonly seed?: number | undefined;
    readonly rows?: number | undefined;
    readonly threads?: number | undefined;
    readonly onProgress?: ((share: number) => void) | undefined;
  },
): Promise<Importance> {
  if (methodTraits(method).needs !== 'statistics')
    return importanceByName(method, { graph, gradients, seed });
  if (samples.length === 0)
    throw new EspalierError('ERR_ESPALIER_INPUT', `Expected calibration data for method ${method}, got none`);
  const targets = findLayers(graph)
    .filter(({ op }) => op === 'Conv' || op === 'Gemm' || op === 'MatMul')
    .map((layer) => ({
      layer,
      nodes: [layer.name],
      pattern: 'unstructured' as const,
      sparsity: 0,
      ownSparsity: false,
    }));
  const statistics = await activationStatistics(graph, sightedTargets(graph, targets), samples, {
    rowsPerSample: Math.ceil(rows / samples.length),
    threads,
    onSample: (index) => onProgress?.((index + 1) / samples.length),
  });
  return importanceByName(method, { graph, statistics, gradients, seed });
}
