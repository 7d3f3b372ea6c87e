import { describe, expect, it } from 'vitest';
import { tolerance } from '../../bench/lib/compare.mjs';
import { fillZeros, scaleWeights } from '../../bench/lib/denormals.mjs';
import { modelPath, selectModels } from '../../bench/lib/models.mjs';
import { readOnnx } from '../../src/formats/onnx/index.js';
import { applyPruning, planPruning } from '../../src/prune/index.js';
import { errorOnGraph } from './support.js';

// That they do not slow a run is measured by bench/denormals.mjs: a test must not depend on a clock.
describe.each(selectModels(['ocr-rec', 'blazeface-front']))('$id with denormal weights', (model) => {
  it('agrees with onnxruntime when every removed weight is denormal instead of zero', async () => {
    const graph = await readOnnx(modelPath(model));
    const pruned = applyPruning(graph, planPruning(graph, { sparsity: 0.8, pattern: '16x1' }));
    expect(await errorOnGraph(fillZeros(pruned, 1e-40), model)).toBeLessThanOrEqual(tolerance);
  });

  it('agrees with onnxruntime when all weights are denormal', async () => {
    const graph = await readOnnx(modelPath(model));
    expect(await errorOnGraph(scaleWeights(graph, 1e-40), model)).toBeLessThanOrEqual(tolerance);
  });
});
