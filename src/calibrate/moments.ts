import { EspalierError } from '../errors.js';
import type { NativeLinalg } from '../native/linalg.js';

/** How native code runs. */
export interface Resources {
  readonly linalg: NativeLinalg;
  readonly isa: string;
  readonly threads: number;
}

const batchRows = 512;

/**
 * First and second moments of the rows that one group of a layer sees: x in the network pruned so far, y in the dense
 * one. Rows are gathered in batches and forgotten; sums are float64.
 */
export class Moments {
  rows = 0;
  /** Sums of x and of y: [inputs]. */
  readonly sumX: Float64Array;
  readonly sumY: Float64Array;
  /** x^T x, lower triangle: [inputs, inputs]. */
  readonly gram: Float64Array;
  /** y^T x: [inputs, inputs]. */
  readonly cross: Float64Array;
  readonly #resources: Resources;
  readonly #inputs: number;
  readonly #x: Float32Array;
  readonly #y: Float32Array;
  #filled = 0;

  /** @param paired whether y differs from x and is given; without it `cross` and `sumY` stay empty. */
  constructor(resources: Resources, inputs: number, paired: boolean) {
    this.#resources = resources;
    this.#inputs = inputs;
    this.sumX = new Float64Array(inputs);
    this.sumY = new Float64Array(paired ? inputs : 0);
    this.gram = new Float64Array(inputs * inputs);
    this.cross = new Float64Array(paired ? inputs * inputs : 0);
    this.#x = new Float32Array(batchRows * inputs);
    this.#y = new Float32Array(paired ? batchRows * inputs : 0);
  }

  /** Adds rows: `readX` and `readY` write those of the chosen ones that they are asked for. */
  async add(
    chosen: Uint32Array,
    readX: (rows: Uint32Array, out: Float32Array) => void,
    readY?: (rows: Uint32Array, out: Float32Array) => void,
  ): Promise<void> {
    for (let at = 0; at < chosen.length; ) {
      const rows = chosen.subarray(at, at + batchRows - this.#filled);
      const start = this.#filled * this.#inputs;
      readX(rows, this.#x.subarray(start));
      if (this.#y.length > 0) readY?.(rows, this.#y.subarray(start));
      at += rows.length;
      this.#filled += rows.length;
      if (this.#filled === batchRows) await this.#flush();
    }
  }

  /**
   * Ends the counting.
   * @throws EspalierError ERR_ESPALIER_INPUT when there were no rows, or a value among them is not finite
   */
  async finish(layer: string): Promise<void> {
    await this.#flush();
    if (this.rows === 0) {
      throw new EspalierError(
        'ERR_ESPALIER_INPUT',
        `Expected calibration data for layer "${layer}", got no rows`,
      );
    }
    if ([...this.sumX, ...this.sumY].every(Number.isFinite)) return;
    throw new EspalierError(
      'ERR_ESPALIER_INPUT',
      `Expected finite inputs of layer "${layer}" on the calibration data, got NaN or infinity`,
    );
  }

  async #flush(): Promise<void> {
    const rows = this.#filled;
    if (rows === 0) return;
    this.#filled = 0;
    this.rows += rows;
    const { linalg, isa, threads } = this.#resources;
    const cols = this.#inputs;
    const x = this.#x.subarray(0, rows * cols);
    const shape = { rows, cols, isa, threads };
    addRows(x, this.sumX);
    await linalg.addCrossProduct({ x, y: x, product: this.gram, ...shape });
    if (this.#y.length === 0) return;
    const y = this.#y.subarray(0, rows * cols);
    addRows(y, this.sumY);
    await linalg.addCrossProduct({ x: y, y: x, product: this.cross, ...shape });
  }
}

/** sums[j] += sum over i of rows[i, j]. */
function addRows(rows: Float32Array, sums: Float64Array): void {
  for (let start = 0; start < rows.length; start += sums.length) {
    for (let j = 0; j < sums.length; j++) sums[j] = (sums[j] as number) + (rows[start + j] as number);
  }
}
