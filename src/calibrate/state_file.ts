import { createHash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { EspalierError } from '../errors.js';
import type { SolvedLayer } from './solve.js';
import type { PruneState } from './state.js';

/**
 * A file that grows by one record for each finished layer: 8 bytes of lengths, a JSON header, the payload, and the
 * SHA-256 of all that. A record that was cut off, as by a power failure, ends what is read, and is written over.
 * The first record holds the key of the run.
 */
export class PruneStateFile implements PruneState {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #layers = new Map<string, SolvedLayer>();
  #end = 0;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
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
    return new PruneStateFile(path, file);
  }

  /** How many layers are known. */
  get size(): number {
    return this.#layers.size;
  }

  async begin(key: string): Promise<void> {
    const bytes = await this.#file.readFile();
    const records = readRecords(bytes);
    const [first, ...rest] = records;
    if (first === undefined && bytes.length > 0)
      throw stateError(this.#path, 'finished layers', 'other bytes; remove the file');
    if (first === undefined) return this.#append({ key }, new Uint8Array(0));
    if (first.header['key'] !== key) {
      const got = 'those of another model, other data or other options; remove the file to begin anew';
      throw stateError(this.#path, 'finished layers of this run', got);
    }
    for (const { header, payload } of rest) {
      const layer = decodeLayer(header, payload);
      if (layer !== undefined) this.#layers.set(layer.weight, layer.solved);
    }
    this.#end = records.at(-1)?.end ?? 0;
  }

  get(weight: string): SolvedLayer | undefined {
    return this.#layers.get(weight);
  }

  async set(weight: string, { weights, bias, removed, lowRank }: SolvedLayer): Promise<void> {
    const none = new Float32Array(0);
    const parts = [weights, bias ?? none, lowRank?.down ?? none, lowRank?.up ?? none, removed];
    const lengths = parts.map(({ length }) => length);
    const header = { weight, lengths, hasBias: bias !== undefined, rank: lowRank?.rank ?? 0 };
    const views = parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
    await this.#append(header, Buffer.concat(views));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Closes and removes the file: the run is done. */
  async remove(): Promise<void> {
    await this.close();
    await rm(this.#path, { force: true });
  }

  async #append(header: object, payload: Uint8Array): Promise<void> {
    const text = Buffer.from(JSON.stringify(header));
    const lengths = new Uint8Array(8);
    new DataView(lengths.buffer).setUint32(0, text.length, true);
    new DataView(lengths.buffer).setUint32(4, payload.length, true);
    const body = Buffer.concat([lengths, text, payload]);
    const record = Buffer.concat([body, digest(body)]);
    await this.#file.write(record, 0, record.length, this.#end);
    this.#end += record.length;
    await this.#file.truncate(this.#end);
    await this.#file.sync();
  }
}

interface StateRecord {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Uint8Array;
  readonly end: number;
}

/** The records up to the first one that is not whole. */
function readRecords(bytes: Buffer): StateRecord[] {
  const records: StateRecord[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const headerEnd = at + 8 + bytes.readUInt32LE(at);
    const bodyEnd = headerEnd + bytes.readUInt32LE(at + 4);
    const end = bodyEnd + 32;
    if (end > bytes.length) break;
    if (!digest(bytes.subarray(at, bodyEnd)).equals(bytes.subarray(bodyEnd, end))) break;
    const header: unknown = JSON.parse(bytes.toString('utf8', at + 8, headerEnd)); // hashed, so ours
    records.push({
      header: header as StateRecord['header'],
      payload: bytes.subarray(headerEnd, bodyEnd),
      end,
    });
    at = end;
  }
  return records;
}

function decodeLayer({ weight, lengths, hasBias, rank }: StateRecord['header'], payload: Uint8Array) {
  if (typeof weight !== 'string' || !Array.isArray(lengths)) return undefined;
  const counts = lengths.map(Number);
  const floats = counts.slice(0, -1).reduce((sum, count) => sum + count, 0);
  if (counts.length !== 5 || floats * 4 + (counts[4] as number) !== payload.length) return undefined;
  const copy = new Uint8Array(payload).buffer; // aligned, which the file need not be
  const [weights, bias, down, up] = counts.slice(0, -1).map((count, i) => {
    const before = counts.slice(0, i).reduce((sum, other) => sum + other, 0);
    return new Float32Array(copy, before * 4, count);
  }) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const solved: SolvedLayer = {
    weights,
    bias: hasBias === true ? bias : undefined,
    lowRank: Number(rank) > 0 ? { rank: Number(rank), down, up } : undefined,
    removed: new Uint8Array(copy, floats * 4),
  };
  return { weight, solved };
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function stateError(path: string, expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_FILE', `Expected ${expected} at "${path}", got ${got}`);
}
