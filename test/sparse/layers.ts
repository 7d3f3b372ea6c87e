import type { Graph } from '../../src/graph/graph.js';
import { findLayers } from '../../src/graph/layers.js';
import { applyPruning } from '../../src/prune/apply.js';
import { planPruning } from '../../src/prune/plan.js';
import { analyzeLayer, type LayerAnalysis } from '../../src/sparse/analyze.js';
import type { Pattern } from '../../src/sparse/patterns.js';
import { chain, randomConstant, seeded } from '../prune/graphs.js';

export interface Pruned {
  readonly pattern?: Pattern;
  readonly sparsity?: number;
  readonly outputs?: number;
  readonly inputs?: number;
  readonly op?: 'Gemm' | 'Conv';
}

/** A graph of one random [outputs, inputs] layer, pruned. */
export function prunedGraph({ pattern, sparsity, outputs = 128, inputs = 96, op = 'Gemm' }: Pruned): Graph {
  const attributes: Readonly<Record<string, number>> = op === 'Gemm' ? { transB: 1 } : {};
  const dims = op === 'Gemm' ? [outputs, inputs] : [outputs, inputs, 1, 1];
  const dense = chain([{ name: 'a', op, weight: 'w', attributes }], { w: randomConstant(dims, seeded(3)) });
  return pattern === undefined ? dense : applyPruning(dense, planPruning(dense, { sparsity, pattern }));
}

export function analysisOf(pruned: Pruned): LayerAnalysis {
  const graph = prunedGraph(pruned);
  const [layer] = findLayers(graph);
  if (layer === undefined) throw new Error('no layer');
  return analyzeLayer(graph, layer);
}
