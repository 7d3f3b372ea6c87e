import { constants } from 'node:buffer';
import { deflateSync, inflateSync } from 'node:zlib';
import { EspalierError } from '../../errors.js';

/**
 * How many bytes one byte of a file may stand for: a file has to justify the memory that reading it takes. Graphs and
 * lists of weights shrink to a fifth to a thirtieth, zeros to a thousandth.
 */
const largestRatio = 64;

/** The bytes as a zlib stream (RFC 1950); not compressed where that would make them shorter than readers take. */
export function deflate(bytes: Uint8Array): Uint8Array {
  const deflated = deflateSync(bytes, { level: 9 });
  return deflated.length * largestRatio >= bytes.length ? deflated : deflateSync(bytes, { level: 0 });
}

/**
 * The bytes of a zlib stream; what stands behind its end is padding.
 * @param what whose bytes they are, for messages
 * @throws EspalierError ERR_ESPALIER_MODEL when it is no such stream, or of more than 64 times its bytes
 */
export function inflate(stream: Uint8Array, what: string): Uint8Array {
  const most = Math.min(stream.length * largestRatio, constants.MAX_LENGTH);
  try {
    return inflateSync(stream, { maxOutputLength: Math.max(most, 1) });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected ${what} to be a zlib stream of at most ${largestRatio} times its ${stream.length} bytes, got: ${reason}`,
      { cause },
    );
  }
}
