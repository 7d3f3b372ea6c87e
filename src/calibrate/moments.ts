import { EspalierError } from '../errors.js';
import { freeArrays } from '../native/addon.js';
import type { NativeLinalg } from '../native/linalg.js';

/** How native code runs. */
export interface Resources {
  readonly linalg: NativeLinalg;
  readonly isa: string;
  readonly threads: number;
}

/** Writes the rows that it is asked for to `out`, one after the other. */
export type ReadRows = (rows: Uint32Array, out: Float32Array) => void;

/** Rows of one group of a layer. */
export interface RowReaders {
  readonly x: ReadRows;
  /** [inputs], undefined where `cross` is not wanted. */
  readonly y?: ReadRows | undefined;
  /** undefined where there are no `corrections`. */
  readonly corrections?: ReadRows | undefined;
}

const batchRows = 512;

/** What is counted of the rows of one group of a layer. */
export interface CountedRows {
  readonly inputs: number;
  /** Whether the dense network's rows are counted too. */
  readonly paired: boolean;
  /**
   * [outputs, inputs]: counts y W^T, what the dense network makes of its inputs y, in their place. undefined: y itself.
   */
  readonly projection?: Float32Array | undefined;
  /** How many numbers a row of corrections has. */
  readonly corrections: number;
}

/**
 * First and second moments of the rows that one group of a layer sees: x in the network pruned so far, y in the dense
 * one, and of corrections c, by which the outputs of the layer should differ from those of the dense network. Rows are
 * gathered in batches and forgotten; sums are float64. Sums become means when `finish` is called.
 */
export class Moments {
  rows = 0;
  /** Whether `cross` and `meanY` are of the dense network's outputs, not of its inputs. */
  readonly projected: boolean;
  /** Of x, y and c: [inputs], [inputs], or [outputs] where y is projected, [corrections]. */
  readonly meanX: Float64Array;
  readonly meanY: Float64Array;
  readonly meanC: Float64Array;
  /** x^T x: [inputs, inputs]. */
  readonly gram: Float64Array;
  /** y^T x: [inputs, inputs], or [outputs, inputs]; empty where y is not counted. */
  readonly cross: Float64Array;
  /** c^T x: [corrections, inputs]. */
  readonly corrections: Float64Array;
  readonly #resources: Resources;
  readonly #projection: Float32Array | undefined;
  readonly #x: Float32Array;
  readonly #y: Float32Array;
  readonly #c: Float32Array;
  #filled = 0;

  constructor(resources: Resources, { inputs, paired, projection, corrections }: CountedRows) {
    this.#resources = resources;
    this.#projection = paired ? projection : undefined;
    this.projected = this.#projection !== undefined;
    const width = paired ? (projection?.length ?? inputs ** 2) / inputs : 0;
    this.meanX = new Float64Array(inputs);
    this.meanY = new Float64Array(width);
    this.meanC = new Float64Array(corrections);
    this.gram = new Float64Array(inputs * inputs);
    this.cross = new Float64Array(width * inputs);
    this.corrections = new Float64Array(corrections * inputs);
    this.#x = new Float32Array(batchRows * inputs);
    this.#y = new Float32Array(paired ? batchRows * inputs : 0);
    this.#c = new Float32Array(batchRows * corrections);
  }

  /** Adds the chosen rows. */
  async add(chosen: Uint32Array, { x, y, corrections }: RowReaders): Promise<void> {
    for (let at = 0; at < chosen.length; ) {
      const rows = chosen.subarray(at, at + batchRows - this.#filled);
      x(rows, this.#x.subarray(this.#filled * this.meanX.length));
      y?.(rows, this.#y.subarray(this.#filled * this.meanX.length));
      corrections?.(rows, this.#c.subarray(this.#filled * this.meanC.length));
      at += rows.length;
      this.#filled += rows.length;
      if (this.#filled === batchRows) await this.#flush();
    }
  }

  /**
   * Ends the counting.
   * @param centred whether the products are to be covariances: less the products of the means
   * @throws EspalierError ERR_ESPALIER_INPUT when there were no rows, or a value among them is not finite
   */
  async finish(layer: string, centred: boolean): Promise<void> {
    await this.#flush();
    if (this.rows === 0) {
      throw new EspalierError(
        'ERR_ESPALIER_INPUT',
        `Expected calibration data for layer "${layer}", got no rows`,
      );
    }
    const parts = [
      { means: this.meanX, products: this.gram },
      { means: this.meanY, products: this.cross },
      { means: this.meanC, products: this.corrections },
    ];
    if (!parts.every(({ means }) => means.every(Number.isFinite))) {
      throw new EspalierError(
        'ERR_ESPALIER_INPUT',
        `Expected finite inputs of layer "${layer}" on the calibration data, got NaN or infinity`,
      );
    }
    for (const { means } of parts)
      for (let i = 0; i < means.length; i++) means[i] = (means[i] as number) / this.rows;
    for (const { means, products } of parts) {
      for (let i = 0, at = 0; i < means.length; i++) {
        const shift = centred ? (means[i] as number) : 0;
        for (let j = 0; j < this.meanX.length; j++, at++)
          products[at] = (products[at] as number) / this.rows - shift * (this.meanX[j] as number);
      }
    }
    mirror(this.gram, this.meanX.length);
    freeArrays(this.#x, this.#y, this.#c); // no more rows come
  }

  /** Gives the memory back: the moments are not to be used again. */
  release(): void {
    freeArrays(this.gram, this.cross, this.corrections);
  }

  async #flush(): Promise<void> {
    const rows = this.#filled;
    if (rows === 0) return;
    this.#filled = 0;
    this.rows += rows;
    const x = this.#x.subarray(0, rows * this.meanX.length);
    await this.#addBatch(x, x, this.meanX, this.gram);
    const y = await this.#project(rows);
    await this.#addBatch(y, x, this.meanY, this.cross);
    if (y !== this.#y) freeArrays(y);
    await this.#addBatch(this.#c, x, this.meanC, this.corrections);
  }

  /** The rows of y that were filled, or what the projection makes of them. */
  async #project(rows: number): Promise<Float32Array> {
    const projection = this.#projection;
    if (projection === undefined) return this.#y;
    const [depth, cols] = [this.meanX.length, this.meanY.length];
    const product = new Float64Array(rows * cols);
    const { linalg, isa, threads } = this.#resources;
    const a = this.#y.subarray(0, rows * depth);
    await linalg.addOuterProduct({ a, b: projection, product, rows, depth, cols, isa, threads });
    const outputs = new Float32Array(product);
    freeArrays(product);
    return outputs;
  }

  /** Adds a batch to its sums, and its products with x. */
  async #addBatch(batch: Float32Array, x: Float32Array, sums: Float64Array, product: Float64Array) {
    if (sums.length === 0) return;
    const rows = x.length / this.meanX.length;
    const own = batch === x ? x : batch.subarray(0, rows * sums.length);
    addRows(own, sums);
    const shape = { rows, xCols: sums.length, yCols: this.meanX.length };
    const { linalg, isa, threads } = this.#resources;
    await linalg.addCrossProduct({ x: own, y: x, product, ...shape, isa, threads });
  }
}

/** sums[j] += sum over i of rows[i, j]. */
function addRows(rows: Float32Array, sums: Float64Array): void {
  for (let start = 0; start < rows.length; start += sums.length) {
    for (let j = 0; j < sums.length; j++) sums[j] = (sums[j] as number) + (rows[start + j] as number);
  }
}

/** Writes the lower triangle of a matrix to the upper one as well. */
function mirror(matrix: Float64Array, size: number): void {
  const tile = 32; // a tile of both sides stays in the first-level cache
  for (let first = 0; first < size; first += tile)
    for (let i = first; i < size; i++)
      for (let j = first; j < Math.min(i, first + tile); j++)
        matrix[j * size + i] = matrix[i * size + j] as number;
}
