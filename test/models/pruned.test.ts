import { afterAll, describe, expect, it } from 'vitest';
import { tolerance } from '../../bench/lib/compare.mjs';
import { modelPath, models } from '../../bench/lib/models.mjs';
import { readOnnx } from '../../src/formats/onnx/index.js';
import { applyPruning, planPruning } from '../../src/prune/index.js';
import { largestError, runEspalier, runOnnxruntime, temporaryDirectory } from './support.js';

const files = temporaryDirectory();
afterAll(() => files.remove());

describe.each(models)('$id pruned to 80 %', (model) => {
  it.each(['16x1', '8x1', '4x1', 'unstructured'] as const)(
    'agrees with onnxruntime on the same file: %s',
    async (pattern) => {
      const graph = await readOnnx(modelPath(model));
      const plan = planPruning(graph, { sparsity: 0.8, pattern, scope: 'layer' });
      const path = files.write(`${model.id}-${pattern}.onnx`, applyPruning(graph, plan));

      const expected = await runOnnxruntime(path, model, model.dims);
      const dense = await runOnnxruntime(modelPath(model), model, model.dims);
      expect(largestError(dense, expected)).toBeGreaterThan(tolerance); // the mask does change the network

      for (const threads of [1, 2]) {
        const actual = await runEspalier(path, model, model.dims, { threads });
        expect(largestError(expected, actual)).toBeLessThanOrEqual(tolerance);
      }
    },
  );
});
