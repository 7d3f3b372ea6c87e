import { afterAll, describe, expect, it } from 'vitest';
import { tolerance } from '../../bench/lib/compare.mjs';
import { fillZeros, scaleWeights } from '../../bench/lib/denormals.mjs';
import { modelPath, selectModels } from '../../bench/lib/models.mjs';
import { readOnnx } from '../../src/formats/onnx/index.js';
import { applyPruning, planPruning } from '../../src/prune/index.js';
import { largestError, runEspalier, runOnnxruntime, temporaryDirectory } from './support.js';

const files = temporaryDirectory();
afterAll(() => files.remove());

// That they do not slow a run is measured by bench/denormals.mjs: a test must not depend on a clock.
describe.each(selectModels(['ocr-rec', 'blazeface-front']))('$id with denormal weights', (model) => {
  it('agrees with onnxruntime when every weight removed by pruning is denormal instead of zero', async () => {
    const graph = await readOnnx(modelPath(model));
    const pruned = applyPruning(graph, planPruning(graph, { sparsity: 0.8, pattern: '16x1' }));
    const zeros = files.write(`${model.id}-zeros.onnx`, pruned);
    const denormals = files.write(`${model.id}-denormals.onnx`, fillZeros(pruned, 1e-40));

    const expected = await runOnnxruntime(denormals, model, model.dims);
    const actual = await runEspalier(denormals, model, model.dims);
    expect(largestError(expected, actual)).toBeLessThanOrEqual(tolerance);
    const withZeros = await runEspalier(zeros, model, model.dims);
    expect(largestError(withZeros, actual)).toBeLessThanOrEqual(tolerance);
  });

  it('agrees with onnxruntime when all weights are denormal', async () => {
    const path = files.write(`${model.id}-tiny.onnx`, scaleWeights(await readOnnx(modelPath(model)), 1e-40));
    const expected = await runOnnxruntime(path, model, model.dims);
    const actual = await runEspalier(path, model, model.dims);
    expect(largestError(expected, actual)).toBeLessThanOrEqual(tolerance);
  });
});
