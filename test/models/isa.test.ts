import { describe, expect, it } from 'vitest';
import { largestError, tolerance } from '../../bench/lib/compare.mjs';
import { modelPath, selectModels } from '../../bench/lib/models.mjs';
import { readOnnx } from '../../src/formats/onnx/index.js';
import { loadAddon } from '../../src/native/addon.js';
import { applyPruning, planPruning } from '../../src/prune/index.js';
import { isaNames } from '../../src/session_options.js';
import { errorOnGraph, runEspalier, runOnnxruntime } from './support.js';

const available = loadAddon().availableIsas();
const small = selectModels(['ocr-rec', 'ocr-cls', 'blazeface-front']);

it('has the plain kernels everywhere', () => {
  expect(available).toContain('scalar');
});

for (const isa of isaNames.filter((name) => name !== 'auto')) {
  describe.skipIf(!available.includes(isa))(`on ${isa}`, () => {
    it.each(small)('$id agrees with onnxruntime', async (model) => {
      for (const dims of [model.dims, ...model.otherDims]) {
        const expected = await runOnnxruntime(modelPath(model), model, dims);
        const actual = await runEspalier(modelPath(model), model, dims, { isa, threads: 2 });
        expect(largestError(expected, actual)).toBeLessThanOrEqual(tolerance);
      }
    });

    it.each(small)('$id pruned to 80 % agrees with onnxruntime in every pattern', async (model) => {
      const graph = await readOnnx(modelPath(model));
      for (const pattern of ['16x1', '8x1', '4x1', 'unstructured'] as const) {
        const pruned = applyPruning(graph, planPruning(graph, { sparsity: 0.8, pattern }));
        expect(await errorOnGraph(pruned, model, { isa })).toBeLessThanOrEqual(tolerance);
      }
    });
  });
}
