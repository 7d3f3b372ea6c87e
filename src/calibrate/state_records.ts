import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import type { SolvedLayer } from './solve.js';

/** A record of a state file: 8 bytes of lengths, a JSON header, the payload, and the SHA-256 of all that. */
export interface StateRecord {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Uint8Array;
  /** Where it ends in the file. */
  readonly end: number;
}

export function encodeRecord(header: object, payload: Uint8Array): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const lengths = new Uint8Array(8);
  new DataView(lengths.buffer).setUint32(0, text.length, true);
  new DataView(lengths.buffer).setUint32(4, payload.length, true);
  const body = Buffer.concat([lengths, text, payload]);
  return Buffer.concat([body, digest(body)]);
}

/** The record at a place of a file of `size` bytes; undefined when it is not whole. */
export function readRecord(fd: number, at: number, size: number): StateRecord | undefined {
  const lengths = readAt(fd, at, 8);
  if (lengths === undefined) return undefined;
  const headerEnd = 8 + lengths.readUInt32LE(0);
  const bodyEnd = headerEnd + lengths.readUInt32LE(4);
  const end = at + bodyEnd + 32;
  const bytes = end > size ? undefined : readAt(fd, at, bodyEnd + 32);
  if (bytes === undefined || !digest(bytes.subarray(0, bodyEnd)).equals(bytes.subarray(bodyEnd)))
    return undefined;
  const header = JSON.parse(bytes.toString('utf8', 8, headerEnd)) as StateRecord['header']; // hashed, so ours
  return { header, payload: bytes.subarray(headerEnd, bodyEnd), end };
}

function readAt(fd: number, at: number, length: number): Buffer | undefined {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const count = readSync(fd, bytes, done, length - done, at + done);
    if (count === 0) return undefined;
    done += count;
  }
  return bytes;
}

export function encodeLayer(weight: string, { weights, bias, removed, lowRank }: SolvedLayer): Buffer {
  const none = new Float32Array(0);
  const parts = [weights, bias ?? none, lowRank?.down ?? none, lowRank?.up ?? none, removed];
  const lengths = parts.map(({ length }) => length);
  const header = { weight, lengths, hasBias: bias !== undefined, rank: lowRank?.rank ?? 0 };
  const views = parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  return encodeRecord(header, Buffer.concat(views));
}

/** The layer of a record, undefined when it holds something else. */
export function decodeLayer({ header, payload }: StateRecord): SolvedLayer | undefined {
  const { lengths, hasBias, rank } = header;
  if (!Array.isArray(lengths)) return undefined;
  const counts = lengths.map(Number);
  const floats = counts.slice(0, -1).reduce((sum, count) => sum + count, 0);
  if (counts.length !== 5 || floats * 4 + (counts[4] as number) !== payload.length) return undefined;
  const copy = new Uint8Array(payload).buffer; // aligned, which the file need not be
  const [weights, bias, down, up] = counts.slice(0, -1).map((count, i) => {
    const before = counts.slice(0, i).reduce((sum, other) => sum + other, 0);
    return new Float32Array(copy, before * 4, count);
  }) as [Float32Array, Float32Array, Float32Array, Float32Array];
  return {
    weights,
    bias: hasBias === true ? bias : undefined,
    lowRank: Number(rank) > 0 ? { rank: Number(rank), down, up } : undefined,
    removed: new Uint8Array(copy, floats * 4),
  };
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
