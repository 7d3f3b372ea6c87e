import { crc32 } from 'node:zlib';
import { EspalierError } from '../../errors.js';

/** Without ZIP64, which espalier reads but does not write. */
const largestArchive = 0xffffffff;
const mostFiles = 0xfffe;

/**
 * A ZIP archive of files that are stored as they are, in the order given.
 * @throws EspalierError ERR_ESPALIER_UNSUPPORTED beyond 4 GiB or 65534 files, ERR_ESPALIER_ARGUMENT for overlong names
 */
export function zip(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const members = [...files].map(([text, content]) => {
    const name = new TextEncoder().encode(text);
    if (name.byteLength > 0xffff)
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected names of at most 65535 bytes, got ${name.byteLength}`,
      );
    return { name, content, crc: crc32(content) };
  });
  const size = members.reduce((sum, { name, content }) => sum + 76 + 2 * name.length + content.length, 22);
  if (size > largestArchive || members.length > mostFiles) {
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected a ZIP archive of at most ${largestArchive} bytes and ${mostFiles} files, got ${size} and ${members.length}`,
    );
  }
  const archive = new Writer(size);
  const offsets = members.map(({ name, content, crc }) => {
    const offset = archive.at;
    archive.u32(0x04034b50).fields(crc, content.length, name.length).u16(0).bytes(name).bytes(content);
    return offset;
  });
  const directory = archive.at;
  for (const [i, { name, content, crc }] of members.entries()) {
    archive.u32(0x02014b50).u16(version).fields(crc, content.length, name.length).u16(0); // no extra field
    archive
      .u16(0)
      .u16(0)
      .u16(0)
      .u32(0)
      .u32(offsets[i] as number)
      .bytes(name); // no comment, disk 0, no attributes
  }
  const length = archive.at - directory;
  archive.u32(0x06054b50).u16(0).u16(0).u16(members.length).u16(members.length);
  return archive.u32(length).u32(directory).u16(0).finish();
}

/** 2.0, the first with all that is used here. */
const version = 20;

/** Says that names are UTF-8. */
const utf8Flag = 0x800;

/** 1980-01-01, the first day of ZIP: the same tensors give the same bytes. */
const date = (1 << 5) | 1;

class Writer {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at = 0;

  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u16(value: number): this {
    this.#view.setUint16(this.at, value, true);
    this.at += 2;
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.at, value, true);
    this.at += 4;
    return this;
  }

  bytes(content: Uint8Array): this {
    this.#bytes.set(content, this.at);
    this.at += content.byteLength;
    return this;
  }

  /** What the header of a file and its entry in the directory have in common; the file is stored. */
  fields(crc: number, size: number, nameBytes: number): this {
    return this.u16(version)
      .u16(utf8Flag)
      .u16(0)
      .u16(0)
      .u16(date)
      .u32(crc)
      .u32(size)
      .u32(size)
      .u16(nameBytes);
  }

  finish(): Uint8Array {
    return this.#bytes;
  }
}
