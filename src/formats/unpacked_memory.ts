import { EspalierError } from '../errors.js';

/** How many bytes of dense constants one byte of sparse or packed ones may stand for. */
export const largestUnpackedRatio = 1024;

/** So much needs no file to justify it. */
const freeBytes = 16 * 2 ** 20;

/**
 * The memory that reading a file may take for constants which it holds without their zeros. Zeros cost a file nothing, so
 * that a short one could ask for all there is: together they get 16 MiB and 1,024 times the file's bytes.
 */
export class UnpackedMemory {
  readonly #most: number;
  #left: number;

  constructor(fileBytes: number) {
    this.#most = freeBytes + largestUnpackedRatio * fileBytes;
    this.#left = this.#most;
  }

  /**
   * @param bytes of one constant, dense
   * @param what the constant, for messages
   * @throws EspalierError ERR_ESPALIER_MODEL when all of them together are too large
   */
  take(bytes: number, what: string): void {
    this.#left -= bytes;
    if (this.#left >= 0) return;
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected ${what} to fit in memory: constants without their zeros, of at most ${this.#most} bytes in a file ` +
        `of this size; got ${bytes} bytes, with which they are ${this.#most - this.#left}`,
    );
  }
}
