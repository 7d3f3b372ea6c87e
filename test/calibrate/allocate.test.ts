import { expect, test } from 'vitest';
import { pruneCalibrated } from '../../src/calibrate/index.js';
import { everyKind } from '../prune/graphs.js';

test('a global ranking keeps the patterns that operators and name patterns are given', async () => {
  const { plan } = await pruneCalibrated(everyKind(2), [], {
    sparsity: 0.5,
    method: 'magnitude',
    refit: false,
    allocation: 'global',
    layers: { Gemm: { pattern: '4x1' }, 're:^conv1d$': { pattern: '2x1' } },
  });
  expect(Object.fromEntries(plan.layers.map(({ name, pattern }) => [name, pattern]))).toMatchObject({
    conv: 'unstructured',
    gemm: '4x1',
    gemmT: '4x1',
    conv1d: '2x1',
  });
  const units = plan.layers.reduce((sum, layer) => sum + layer.units, 0);
  expect(plan.layers.reduce((sum, layer) => sum + layer.removedUnits, 0)).toBe(Math.round(units / 2));
});
