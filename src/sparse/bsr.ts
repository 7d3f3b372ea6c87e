import * as v from 'valibot';
import { EspalierError } from '../errors.js';
import { optionsObject, parseOptions } from '../options.js';
import { allocateMatrix } from './pack.js';

/**
 * A matrix in block compressed sparse rows, as SciPy's bsr_array has it: the blocks of block row i are
 * `indptr[i]` to `indptr[i + 1]`, each with its block column in `indices` and its values in `data`, row-major.
 */
export interface BlockSparseRows {
  readonly rows: number;
  readonly cols: number;
  /** [rows of a block, columns of a block]; they divide rows and cols. */
  readonly blockShape: readonly [number, number];
  readonly indptr: Int32Array;
  readonly indices: Int32Array;
  readonly data: Float32Array;
}

const size = v.pipe(v.number('a number'), v.safeInteger('an integer'), v.minValue(1, 'at least 1'));
const schema = optionsObject({ rows: size, cols: size, blockRows: size, blockCols: size });

/**
 * The blocks of a dense matrix that are not wholly zero, in order of their columns.
 * @param matrix [rows, cols], row-major
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for wrong options, ERR_ESPALIER_SHAPE when sizes do not fit together
 */
export function toBlocks(
  matrix: Float32Array,
  options: {
    readonly rows: number;
    readonly cols: number;
    readonly blockRows: number;
    readonly blockCols: number;
  },
): BlockSparseRows {
  const { rows, cols, blockRows, blockCols } = parseOptions(schema, options, 'toBlocks options');
  checkSizes(rows, cols, [blockRows, blockCols]);
  if (!(matrix instanceof Float32Array)) throw shapeError('a Float32Array', typeof matrix);
  if (matrix.length !== rows * cols) throw shapeError(`${rows} x ${cols} values`, `${matrix.length}`);
  const indptr = new Int32Array(rows / blockRows + 1);
  const indices: number[] = [];
  const blocks: Float32Array[] = [];
  for (let blockRow = 0; blockRow < rows / blockRows; blockRow++) {
    for (let blockCol = 0; blockCol < cols / blockCols; blockCol++) {
      const block = new Float32Array(blockRows * blockCols);
      for (let row = 0; row < blockRows; row++) {
        const start = (blockRow * blockRows + row) * cols + blockCol * blockCols;
        block.set(matrix.subarray(start, start + blockCols), row * blockCols);
      }
      if (block.every((value) => value === 0)) continue;
      indices.push(blockCol);
      blocks.push(block);
    }
    indptr[blockRow + 1] = blocks.length;
  }
  const data = new Float32Array(blocks.length * blockRows * blockCols);
  blocks.forEach((block, i) => {
    data.set(block, i * block.length);
  });
  return { rows, cols, blockShape: [blockRows, blockCols], indptr, indices: Int32Array.from(indices), data };
}

/**
 * The dense matrix, [rows, cols] row-major; blocks of the same place add up, as in SciPy.
 * @throws EspalierError ERR_ESPALIER_SHAPE when the arrays do not fit together
 */
export function fromBlocks(blocks: BlockSparseRows): Float32Array {
  const { rows, cols, blockShape, indptr, indices, data } = (blocks ?? {}) as BlockSparseRows;
  const arrays = Array.isArray(blockShape) && [indptr, indices, data].every(ArrayBuffer.isView);
  if (!arrays) throw shapeError('blockShape, indptr, indices and data as arrays', typeof blocks);
  const [blockRows, blockCols] = blockShape;
  checkSizes(rows, cols, blockShape);
  const blockCount = indices.length;
  if (indptr.length !== rows / blockRows + 1 || indptr[0] !== 0 || indptr.at(-1) !== blockCount)
    throw shapeError(`indptr of ${rows / blockRows + 1} entries from 0 to ${blockCount}`, `[${indptr}]`);
  if (data.length !== blockCount * blockRows * blockCols)
    throw shapeError(`${blockCount * blockRows * blockCols} values of blocks`, `${data.length}`);
  const falls = indptr.findIndex((start, i) => start > (indptr[i + 1] ?? start));
  if (falls >= 0)
    throw shapeError('indptr in ascending order', `${indptr[falls]} before ${indptr[falls + 1]}`);
  const matrix = allocateMatrix(rows, cols);
  for (let blockRow = 0; blockRow < rows / blockRows; blockRow++) {
    for (let block = indptr[blockRow] as number; block < (indptr[blockRow + 1] as number); block++) {
      const blockCol = indices[block] as number;
      if (!(blockCol >= 0 && blockCol < cols / blockCols))
        throw shapeError(`block columns below ${cols / blockCols}`, `${blockCol}`);
      for (let i = 0; i < blockRows * blockCols; i++) {
        const row = blockRow * blockRows + Math.floor(i / blockCols);
        const at = row * cols + blockCol * blockCols + (i % blockCols);
        matrix[at] = (matrix[at] as number) + (data[block * blockRows * blockCols + i] as number);
      }
    }
  }
  return matrix;
}

function checkSizes(rows: number, cols: number, [blockRows, blockCols]: readonly [number, number]): void {
  const fits = [rows, cols, blockRows, blockCols].every((n) => Number.isSafeInteger(n) && n >= 1);
  if (fits && rows % blockRows === 0 && cols % blockCols === 0) return;
  throw shapeError(
    'blocks that divide the matrix',
    `[${rows}, ${cols}] in blocks of [${blockRows}, ${blockCols}]`,
  );
}

function shapeError(expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_SHAPE', `Expected ${expected}, got ${got}`);
}
