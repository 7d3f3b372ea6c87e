import { expect, test } from 'vitest';
import { parsePattern, patterns, printPattern } from '../../src/sparse/patterns.js';

test('patterns are read as people write them', () => {
  for (const pattern of patterns) expect(parsePattern(pattern)).toBe(pattern);
  expect(parsePattern(' 16 X 1')).toBe('16x1');
  expect(parsePattern('8×1')).toBe('8x1');
  expect(printPattern('4x1')).toBe('4x1 blocks');
});

test('anything else is an error that lists them', () => {
  expect(() => parsePattern('2x1')).toThrow('Expected a pattern of unstructured, 16x1, 8x1, 4x1, got "2x1"');
});
