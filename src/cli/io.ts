import { EspalierError } from '../errors.js';

/** Where a command writes: data to `out`, everything else to `err`. Both take whole text, newline included. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether a person watches `err`. */
  readonly interactive: boolean;
}

/** Prints the result of a command: as JSON, or as text for people. */
export function print(io: Io, asJson: boolean | undefined, data: unknown, text: () => string): void {
  io.out(asJson === true ? `${JSON.stringify(data, jsonValue, 2)}\n` : `${text()}\n`);
}

/** BigInts as numbers, and numbers that JSON lacks as strings. */
function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** The error for a file that cannot be read or written. */
export function fileError(what: string, path: string, cause: unknown): EspalierError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EspalierError('ERR_ESPALIER_FILE', `Expected ${what} "${path}": ${reason}`, { cause });
}
