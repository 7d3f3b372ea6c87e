import { expect, test } from 'vitest';
import { blockOf, isPattern, keptOfEvery, parsePattern, printPattern } from '../../src/sparse/patterns.js';

test('patterns are read as people write them', () => {
  for (const pattern of ['unstructured', '16x1', '4x4', '1x64', '2:4', '31:32'] as const) {
    expect(parsePattern(pattern)).toBe(pattern);
    expect(isPattern(pattern)).toBe(true);
  }
  expect(parsePattern(' 16 X 1')).toBe('16x1');
  expect(parsePattern('08×1')).toBe('8x1');
  expect(parsePattern('1x1')).toBe('unstructured');
  expect(parsePattern('2 : 4')).toBe('2:4');
  expect(printPattern('4x1')).toBe('4x1 blocks');
  expect(printPattern('2:4')).toBe('2 of every 4 inputs');
});

test('a pattern says its unit and its groups', () => {
  expect(blockOf('8x2')).toEqual({ rows: 8, columns: 2 });
  expect([blockOf('unstructured'), blockOf('2:4')]).toEqual([
    { rows: 1, columns: 1 },
    { rows: 1, columns: 1 },
  ]);
  expect([keptOfEvery('2:4'), keptOfEvery('8x2')]).toEqual([{ kept: 2, of: 4 }, undefined]);
});

test('anything else is an error that says what there is', () => {
  const wrong = [
    '',
    'x',
    '0x1',
    '65x1',
    '16x',
    '-1x4',
    '1.5x2',
    '4:4',
    '0:4',
    '1:33',
    '2:4:8',
    '1e1x1',
    '5:4',
  ];
  for (const text of wrong) {
    expect(isPattern(text)).toBe(false);
    expect(() => parsePattern(text)).toThrow(
      `Expected a pattern, unstructured, RxC (blocks of 1 to 64 outputs by 1 to 64 inputs, such as 16x1) or N:M`,
    );
  }
  expect(isPattern('1x1')).toBe(false); // its plain form is unstructured
  expect(isPattern(7)).toBe(false);
});
