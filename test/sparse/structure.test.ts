import { describe, expect, test } from 'vitest';
import type { Pattern } from '../../src/sparse/patterns.js';
import { analysisOf } from './layers.js';

const found = (pattern: Pattern | undefined, sparsity: number | undefined, outputs = 128, inputs = 96) =>
  analysisOf({ ...(pattern && { pattern }), ...(sparsity && { sparsity }), outputs, inputs }).pattern;

describe('the pattern of the zeros', () => {
  const blocks = ['unstructured', '16x1', '8x1', '4x1', '2x1', '4x4', '1x4', '8x2', '16x16', '1x16'] as const;
  test.each(blocks)('%s is found at every sparsity, tails included', (pattern) => {
    for (const sparsity of [0.2, 0.5, 0.8, 0.95]) {
      for (const [outputs, inputs] of [
        [128, 96],
        [117, 91],
      ] as const) {
        expect([sparsity, outputs, found(pattern, sparsity, outputs, inputs)]).toEqual([
          sparsity,
          outputs,
          pattern,
        ]);
      }
    }
  });

  test.each(['2:4', '1:4', '4:8'] as const)('%s is found, tails included', (pattern) => {
    for (const inputs of [96, 97, 90]) expect(found(pattern, undefined, 64, inputs)).toBe(pattern);
  });

  test('groups that one weight breaks are not N:M', () => {
    for (const sparsity of [0.5, 0.75]) expect(found('unstructured', sparsity)).toBe('unstructured');
  });

  test('a layer without zeros, or next to none, is dense', () => {
    expect(found(undefined, undefined)).toBe('dense');
    expect(found('16x1', 0.01)).toBe('dense');
  });

  test('blocks with other sides show as blocks that divide them', () => {
    expect(found('32x2', 0.7)).toBe('16x2');
    expect(found('12x1', 0.7)).toBe('4x1');
  });
});
