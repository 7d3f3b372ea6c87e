import { describe, expect, test } from 'vitest';
import { findLayers } from '../../src/graph/layers.js';
import { applyPruning } from '../../src/prune/apply.js';
import { planPruning } from '../../src/prune/plan.js';
import { analyzeLayer } from '../../src/sparse/analyze.js';
import { chooseFormat } from '../../src/sparse/format.js';
import type { Pattern } from '../../src/sparse/patterns.js';
import { chain, everyKind, randomConstant, seeded } from '../prune/graphs.js';

/** The format chosen for a random [outputs, inputs] layer pruned to `sparsity` in `pattern`. */
function chosen(pattern: Pattern, sparsity: number, outputs = 128, inputs = 100): string {
  const dense = chain([{ name: 'a', op: 'Gemm', weight: 'w', attributes: { transB: 1 } }], {
    w: randomConstant([outputs, inputs], seeded(3)),
  });
  const graph = applyPruning(dense, planPruning(dense, { sparsity, pattern }));
  const [layer] = findLayers(graph);
  if (layer === undefined) throw new Error('no layer');
  const choice = chooseFormat(analyzeLayer(graph, layer));
  expect(choice).toEqual(chooseFormat(analyzeLayer(graph, layer)));
  expect(choice.reason).not.toBe('');
  return choice.format;
}

describe('chooseFormat', () => {
  test.each([
    ['16x1', 0.3, 'dense'],
    ['16x1', 0.35, 'block16'],
    ['16x1', 0.9, 'block16'],
    ['8x1', 0.3, 'dense'],
    ['8x1', 0.35, 'block8'],
    ['8x1', 0.9, 'block8'],
    ['4x1', 0.4, 'dense'],
    ['4x1', 0.45, 'block4'],
    ['4x1', 0.9, 'block4'],
    ['unstructured', 0.6, 'dense'],
    ['unstructured', 0.62, 'csr'],
    ['unstructured', 0.95, 'csr'],
  ] as const)('%s at %f is stored as %s', (pattern, sparsity, format) => {
    expect(chosen(pattern, sparsity)).toBe(format);
  });

  test('padding counts: 24 outputs in 8x1 blocks are three whole blocks', () => {
    expect(chosen('8x1', 0.8, 24)).toBe('block8');
  });

  test('a dense layer of few outputs stays dense, however much padding that costs', () => {
    for (const outputs of [1, 2, 4, 8]) expect(chosen('unstructured', 0, outputs)).toBe('dense');
  });

  test('a depthwise convolution is dense', () => {
    const graph = everyKind(1);
    const pruned = applyPruning(graph, planPruning(graph, { sparsity: 0.9, include: ['depthwise'] }));
    const layer = findLayers(pruned).find(({ name }) => name === 'depthwise');
    expect(layer && chooseFormat(analyzeLayer(pruned, layer)).format).toBe('dense');
  });
});
