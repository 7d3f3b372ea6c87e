import { EspalierError } from '../../errors.js';

/** A file in an archive, as the directory and its local header say. */
export interface ZipMember {
  readonly name: string;
  readonly method: 'stored' | 'deflated';
  readonly crc: number;
  /** Bytes in the archive, from `start`. */
  readonly packed: number;
  /** Bytes once unpacked. */
  readonly size: number;
  readonly start: number;
}

/** Signatures and sizes of APPNOTE 6.3.10, section 4.3 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT). */
const local = { signature: 0x04034b50, bytes: 30 };
const central = { signature: 0x02014b50, bytes: 46 };
const end = { signature: 0x06054b50, bytes: 22 };
const end64 = { signature: 0x06064b50, bytes: 56 };
const locator64 = { signature: 0x07064b50, bytes: 20 };
const longestComment = 0xffff;
const [in16, in32] = [0xffff, 0xffffffff]; // these values say that the ZIP64 fields hold the real ones

/** Bytes that are read little-endian, with an error where they end. */
class Reader {
  readonly #view: DataView;
  readonly #what: string;

  constructor(bytes: Uint8Array, what: string) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  u16(at: number): number {
    return this.#view.getUint16(this.#inside(at, 2), true);
  }

  u32(at: number): number {
    return this.#view.getUint32(this.#inside(at, 4), true);
  }

  u64(at: number): number {
    const value = Number(this.#view.getBigUint64(this.#inside(at, 8), true));
    if (Number.isSafeInteger(value)) return value;
    throw invalid(this.#what, 'sizes below 2^53', String(value));
  }

  #inside(at: number, bytes: number): number {
    if (Number.isSafeInteger(at) && at >= 0 && at + bytes <= this.#view.byteLength) return at;
    throw invalid(this.#what, `${this.#view.byteLength} bytes to hold all that it says`, `byte ${at}`);
  }
}

/**
 * The members of an archive, in the order of their bytes; folders are left out. All lie in front of the directory, and
 * none overlaps another.
 * @throws EspalierError ERR_ESPALIER_MODEL, _UNSUPPORTED
 */
export function readDirectory(bytes: Uint8Array, what: string): ZipMember[] {
  const reader = new Reader(bytes, what);
  const { count, start, stop } = findDirectory(bytes, reader, what);
  const members: (ZipMember & { readonly header: number })[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + central.bytes > stop || reader.u32(at) !== central.signature)
      throw invalid(what, `${count} members in its directory`, `${i}`);
    const member = readMember(bytes, reader, at, what);
    if (!(member.name.endsWith('/') && member.size === 0)) members.push(member);
    at += central.bytes + reader.u16(at + 28) + reader.u16(at + 30) + reader.u16(at + 32);
  }
  members.sort((a, b) => a.header - b.header);
  let covered = 0;
  for (const { name, header, start: data, packed } of members) {
    if (header < covered || data + packed > start)
      throw invalid(what, 'members that do not overlap', `${JSON.stringify(name)} at ${header}`);
    covered = data + packed;
  }
  return members.map(({ header, ...member }) => member);
}

/** The directory is found from the end, where a comment of up to 65535 bytes may follow its last record. */
function findDirectory(bytes: Uint8Array, reader: Reader, what: string) {
  const last = bytes.byteLength - end.bytes;
  for (let at = last; at >= Math.max(0, last - longestComment); at--) {
    if (reader.u32(at) !== end.signature || at + end.bytes + reader.u16(at + 20) !== bytes.byteLength)
      continue;
    let [count, size, start] = [reader.u16(at + 10), reader.u32(at + 12), reader.u32(at + 16)];
    let record = at;
    if (count === in16 || size === in32 || start === in32) {
      if (reader.u32(at - locator64.bytes) !== locator64.signature)
        throw invalid(what, 'a ZIP64 directory', 'none');
      record = reader.u64(at - locator64.bytes + 8);
      if (record + end64.bytes > at || reader.u32(record) !== end64.signature)
        throw invalid(what, 'a ZIP64 directory', 'none');
      [count, size, start] = [reader.u64(record + 32), reader.u64(record + 40), reader.u64(record + 48)];
    }
    if (start + size > record)
      throw invalid(what, `a directory in front of byte ${record}`, `${start + size}`);
    return { count, start, stop: start + size };
  }
  throw invalid(what, 'the directory of a ZIP archive at its end', 'none');
}

function readMember(bytes: Uint8Array, reader: Reader, at: number, what: string) {
  const [flags, code, crc] = [reader.u16(at + 8), reader.u16(at + 10), reader.u32(at + 16)];
  const nameBytes = reader.u16(at + 28);
  reader.u16(at + central.bytes + nameBytes - 2); // the name lies inside the file
  const text = new TextDecoder((flags & 0x800) === 0 ? 'latin1' : 'utf-8');
  const name = text.decode(bytes.slice(at + central.bytes, at + central.bytes + nameBytes));
  if ((flags & 1) !== 0 || (code !== 0 && code !== 8)) {
    const got = (flags & 1) !== 0 ? 'an encrypted one' : `compression method ${code}`;
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected ${JSON.stringify(name)} in ${what} to be stored or deflated, got ${got}`,
    );
  }
  const { size, packed, header } = readSizes(reader, at, nameBytes, what);
  if (reader.u32(header) !== local.signature)
    throw invalid(what, `a header of ${JSON.stringify(name)} at byte ${header}`, 'none');
  const start = header + local.bytes + reader.u16(header + 26) + reader.u16(header + 28);
  return { name, method: code === 0 ? 'stored' : 'deflated', crc, packed, size, start, header } as const;
}

/** The sizes of a member; those of 64 bits are in an extra field, in this order and only where they are needed. */
function readSizes(reader: Reader, at: number, nameBytes: number, what: string) {
  const short = { size: reader.u32(at + 24), packed: reader.u32(at + 20), header: reader.u32(at + 42) };
  if (!Object.values(short).includes(in32)) return short;
  let extra = at + central.bytes + nameBytes;
  const stop = extra + reader.u16(at + 30);
  while (extra + 4 <= stop && reader.u16(extra) !== 1) extra += 4 + reader.u16(extra + 2);
  if (extra + 4 > stop) throw invalid(what, 'ZIP64 sizes', 'none');
  let field = extra + 4;
  const fieldEnd = field + reader.u16(extra + 2);
  const long = (value: number) => {
    if (value !== in32) return value;
    field += 8;
    if (field > fieldEnd) throw invalid(what, 'ZIP64 sizes', 'too few');
    return reader.u64(field - 8);
  };
  return { size: long(short.size), packed: long(short.packed), header: long(short.header) };
}

function invalid(what: string, expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_MODEL', `Expected ${what} to have ${expected}, got ${got}`);
}
