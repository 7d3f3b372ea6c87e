import { createHash } from 'node:crypto';
import { EspalierError } from '../../errors.js';
import type { SafetensorsHeader } from '../safetensors/index.js';
import { hashTensor, weightsTensor } from './layout.js';

/** Where a file's bytes come from. */
export interface ByteSource {
  readonly size: number;
  /** A copy of bytes [offset, offset + size). */
  read(offset: number, size: number): Uint8Array;
}

/** Bytes that are hashed at once. */
const pieceBytes = 2 ** 22;

/**
 * Checks a part of a compiled model against its hash: the head is everything up to the end of `espalier.weights`, the
 * body what lies between that and the hashes.
 * @throws EspalierError ERR_ESPALIER_MODEL when the file is damaged
 */
export function checkHash(
  source: ByteSource,
  { entries, dataStart }: SafetensorsHeader,
  part: 'head' | 'body',
  what: string,
): void {
  const hashes = entries.get(hashTensor);
  const head = entries.get(weightsTensor);
  if (hashes?.type !== 'uint8' || hashes.dims.join() !== '64' || head === undefined)
    throw new EspalierError('ERR_ESPALIER_MODEL', `Expected ${what} to end with two hashes of 32 bytes`);
  const [begin, end] =
    part === 'head' ? [0, dataStart + head.end] : [dataStart + head.end, dataStart + hashes.begin];
  const hash = createHash('sha256');
  for (let at = begin; at < end; at += pieceBytes)
    hash.update(source.read(at, Math.min(pieceBytes, end - at)));
  const expected = source.read(dataStart + hashes.begin + (part === 'head' ? 0 : 32), 32);
  if (Buffer.compare(hash.digest(), expected) === 0) return;
  throw new EspalierError(
    'ERR_ESPALIER_MODEL',
    `Expected the ${part === 'head' ? 'graph' : 'weights'} of ${what} as ${part === 'head' ? 'it was' : 'they were'} ` +
      'written, got other bytes: the file is damaged',
  );
}
