import { fsyncSync, ftruncateSync, writeSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { EspalierError } from '../errors.js';
import type { SolvedLayer } from './solve.js';
import type { Measurement, PruneState } from './state.js';
import { decodeLayer, encodeLayer, encodeRecord, readRecord } from './state_records.js';

/**
 * A file that grows by one record for each finished layer or measurement. A record that was cut off, as by a power
 * failure, ends what is read, and is written over. The first record holds the key of the run. Layers are read from the
 * file when they are asked for: all of them would take as much memory as the model.
 */
export class PruneStateFile implements PruneState {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #layers = new Map<string, number>(); // where their records begin
  readonly #measured = new Map<number, Measurement>();
  /** Whether there was something in the file when it was opened. */
  readonly isBegun: boolean;
  #end = 0;

  private constructor(path: string, file: FileHandle, isBegun: boolean) {
    this.#path = path;
    this.#file = file;
    this.isBegun = isBegun;
  }

  /** @throws EspalierError ERR_ESPALIER_FILE when the file cannot be opened or made */
  static async open(path: string): Promise<PruneStateFile> {
    const file = await open(path, 'r+')
      .catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        return open(path, 'wx+');
      })
      .catch((cause: unknown) => {
        throw stateError(path, 'a file to keep finished layers in', String((cause as Error).message));
      });
    const { size } = await file.stat();
    return new PruneStateFile(path, file, size > 0);
  }

  /** How many layers are known. */
  get size(): number {
    return this.#layers.size;
  }

  async begin(key: string): Promise<void> {
    const { size } = await this.#file.stat();
    const first = readRecord(this.#file.fd, 0, size);
    if (first === undefined && size > 0)
      throw stateError(this.#path, 'finished layers', 'other bytes; remove the file');
    if (first === undefined) return this.#append(encodeRecord({ key }, new Uint8Array(0)));
    if (first.header['key'] !== key) {
      const got = 'those of another model, other data or other options; remove the file to begin anew';
      throw stateError(this.#path, 'finished layers of this run', got);
    }
    this.#end = first.end;
    for (;;) {
      const record = readRecord(this.#file.fd, this.#end, size);
      if (record === undefined) return;
      const { weight, index, measurement } = record.header;
      if (typeof weight === 'string') this.#layers.set(weight, this.#end);
      if (typeof index === 'number') this.#measured.set(index, measurement as Measurement);
      this.#end = record.end;
    }
  }

  get(weight: string): SolvedLayer | undefined {
    const at = this.#layers.get(weight);
    const record = at === undefined ? undefined : readRecord(this.#file.fd, at, this.#end);
    return record && decodeLayer(record);
  }

  async set(weight: string, layer: SolvedLayer): Promise<void> {
    this.#append(encodeLayer(weight, layer));
  }

  measured(index: number): Measurement | undefined {
    return this.#measured.get(index);
  }

  setMeasured(index: number, measurement: Measurement): void {
    this.#append(encodeRecord({ index, measurement }, new Uint8Array(0)));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Closes and removes the file: the run is done. */
  async remove(): Promise<void> {
    await this.close();
    await rm(this.#path, { force: true });
  }

  /** Writes at once: what measures does not wait. */
  #append(record: Uint8Array): void {
    const { fd } = this.#file;
    writeSync(fd, record, 0, record.length, this.#end);
    this.#end += record.length;
    ftruncateSync(fd, this.#end);
    fsyncSync(fd);
  }
}

function stateError(path: string, expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_FILE', `Expected ${expected} at "${path}", got ${got}`);
}
