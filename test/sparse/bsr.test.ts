import { describe, expect, test } from 'vitest';
import { type BlockSparseRows, fromBlocks, toBlocks } from '../../src/sparse/index.js';
import { seeded } from '../prune/graphs.js';

describe('block sparse rows', () => {
  test('are those of SciPy', () => {
    // bsr_array([[1, 2, 0, 0], [0, 3, 0, 0], [0, 0, 4, 0], [0, 0, 0, 0]], blocksize=(2, 2))
    const matrix = Float32Array.of(1, 2, 0, 0, 0, 3, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0);
    expect(toBlocks(matrix, { rows: 4, cols: 4, blockRows: 2, blockCols: 2 })).toEqual({
      rows: 4,
      cols: 4,
      blockShape: [2, 2],
      indptr: Int32Array.of(0, 1, 2),
      indices: Int32Array.of(0, 1),
      data: Float32Array.of(1, 2, 0, 3, 4, 0, 0, 0),
    });
  });

  test('give the matrix back, whatever their sides', () => {
    const random = seeded(4);
    for (const [rows, cols, blockRows, blockCols] of [
      [12, 20, 1, 1],
      [12, 20, 4, 5],
      [12, 20, 12, 20],
      [3, 64, 1, 16],
    ] as const) {
      const matrix = Float32Array.from({ length: rows * cols }, () => (random() < 0.8 ? 0 : random() - 0.5));
      const blocks = toBlocks(matrix, { rows, cols, blockRows, blockCols });
      expect(fromBlocks(blocks)).toEqual(matrix);
      expect(blocks.data.length).toBe(blocks.indices.length * blockRows * blockCols);
    }
  });

  const good = toBlocks(Float32Array.of(1, 0, 0, 2), { rows: 2, cols: 2, blockRows: 1, blockCols: 1 });
  test.each([
    [{ rows: 3 }, /indptr of 4 entries/],
    [{ blockShape: [3, 1] }, /blocks that divide the matrix, got \[2, 2\] in blocks of \[3, 1\]/],
    [{ blockShape: [0, 1] }, /blocks that divide the matrix/],
    [{ rows: Number.NaN }, /blocks that divide the matrix/],
    [{ indptr: Int32Array.of(0, 3, 2) }, /indptr in ascending order, got 3 before 2/],
    [{ indptr: Int32Array.of(1, 1, 2) }, /indptr of 3 entries from 0 to 2/],
    [{ indptr: Int32Array.of(0, 1, 5) }, /indptr of 3 entries from 0 to 2/],
    [{ indices: Int32Array.of(0, 2) }, /block columns below 2, got 2/],
    [{ indices: Int32Array.of(-1, 0) }, /block columns below 2, got -1/],
    [{ data: Float32Array.of(1) }, /2 values of blocks, got 1/],
  ])('%j does not fit', (change, message) => {
    const wrong = { ...good, ...change } as BlockSparseRows;
    expect(() => fromBlocks(wrong)).toThrow(message);
    expect(() => fromBlocks(wrong)).toThrow(expect.objectContaining({ code: 'ERR_ESPALIER_SHAPE' }));
  });
});
