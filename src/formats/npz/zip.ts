import { crc32, inflateRawSync } from 'node:zlib';
import { EspalierError } from '../../errors.js';
import { readDirectory, type ZipMember } from './zip_directory.js';

/** Deflate cannot compress further than this (https://zlib.net/zlib_tech.html). */
const largestRatio = 1032;

/**
 * The files of a ZIP archive, by name; stored ones are views on `bytes`. Nothing is unpacked before the directory is
 * checked: an archive whose members overlap, or that would unpack to more than `maxBytes`, is refused, so it cannot be
 * a bomb.
 * @throws EspalierError ERR_ESPALIER_MODEL when the bytes are no valid archive, or damaged; ERR_ESPALIER_UNSUPPORTED
 *   for encrypted ones and other compressions than deflate
 */
export function unzip(bytes: Uint8Array, maxBytes: number, what: string): Map<string, Uint8Array> {
  const members = readDirectory(bytes, what);
  const total = members.reduce((sum, { size }) => sum + size, 0);
  if (total > maxBytes) {
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected ${what} to unpack to at most ${maxBytes} bytes, got ${total}`,
    );
  }
  const files = new Map<string, Uint8Array>();
  for (const member of members) {
    if (files.has(member.name)) throw damaged(member, what, 'once', 'it twice');
    files.set(member.name, unpack(bytes, member, what));
  }
  return files;
}

function unpack(bytes: Uint8Array, member: ZipMember, what: string): Uint8Array {
  const { method, packed, size, start } = member;
  const data = new Uint8Array(bytes.buffer, bytes.byteOffset + start, packed);
  const content = method === 'stored' ? data : inflate(data, member, what);
  if (content.byteLength !== size) throw damaged(member, what, `of ${size} bytes`, `${content.byteLength}`);
  const sum = crc32(content);
  if (sum !== member.crc) throw damaged(member, what, `with checksum ${member.crc}`, String(sum));
  return content;
}

function inflate(data: Uint8Array, member: ZipMember, what: string): Uint8Array {
  const { size } = member;
  if (size > data.byteLength * largestRatio)
    throw damaged(member, what, `of at most ${data.byteLength * largestRatio} bytes`, String(size));
  try {
    const { buffer, byteOffset, byteLength } = inflateRawSync(data, { maxOutputLength: Math.max(1, size) });
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (cause) {
    throw damaged(member, what, 'to unpack', cause instanceof Error ? cause.message : String(cause));
  }
}

function damaged({ name }: ZipMember, what: string, expected: string, got: string): EspalierError {
  return new EspalierError(
    'ERR_ESPALIER_MODEL',
    `Expected ${JSON.stringify(name)} in ${what} ${expected}, got ${got}`,
  );
}
