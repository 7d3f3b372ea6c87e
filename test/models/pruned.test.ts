import { describe, expect, it } from 'vitest';
import { tolerance } from '../../bench/lib/compare.mjs';
import { withProbe } from '../../bench/lib/judge.mjs';
import { modelPath, models } from '../../bench/lib/models.mjs';
import { readOnnx } from '../../src/formats/onnx/index.js';
import { applyPruning, planPruning } from '../../src/prune/index.js';
import { errorOnGraph } from './support.js';

describe.each(models)('$id pruned to 80 %', (model) => {
  it.each(['16x1', 'unstructured'] as const)(
    'agrees with onnxruntime on the same file: %s',
    async (pattern) => {
      const graph = await readOnnx(modelPath(model));
      const pruned = applyPruning(graph, planPruning(graph, { sparsity: 0.8, pattern, scope: 'layer' }));
      for (const threads of [1, 2]) {
        expect(await errorOnGraph(pruned, model, { threads })).toBeLessThanOrEqual(tolerance);
      }
    },
  );
});

describe.each(models.filter(({ probe }) => probe !== undefined))('$id pruned to 80 %', (model) => {
  it.each(['16x1', 'unstructured'] as const)(
    'agrees with onnxruntime before its last step: %s',
    async (pattern) => {
      const { probe } = model;
      if (probe === undefined) throw new Error('Expected a probe');
      const graph = await readOnnx(modelPath(model));
      const pruned = applyPruning(graph, planPruning(graph, { sparsity: 0.8, pattern, scope: 'layer' }));
      const kept = pruned.outputs.filter(({ name }) => name !== probe.output);
      const inner = withProbe({ ...pruned, outputs: kept }, probe);
      expect(await errorOnGraph(inner, model)).toBeLessThanOrEqual(tolerance);
    },
  );
});
