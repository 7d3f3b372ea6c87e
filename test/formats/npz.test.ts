import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { EspalierError } from '../../src/errors.js';
import {
  decodeNpy,
  decodeNpz,
  encodeNpy,
  encodeNpz,
  encodeSafetensors,
  readTensors,
} from '../../src/formats/index.js';
import { fromNumbers, type TensorData } from '../../src/graph/index.js';
import { bytesPerElement, type DataType } from '../../src/tensor.js';
import { randomNumbers, valuesOf } from '../graph/support.js';

const fileFrom = (name: string) => new Uint8Array(readFileSync(new URL(`numpy/${name}`, import.meta.url)));

function refused(make: () => unknown): EspalierError {
  try {
    make();
  } catch (error) {
    if (error instanceof EspalierError && error.code !== 'ERR_ESPALIER_INTERNAL') return error;
    throw error;
  }
  throw new Error('expected an error, got none');
}

/** A .npy file with this dictionary and these bytes of data. */
function npy(dictionary: string, data: readonly number[] = [], major = 1): Uint8Array {
  const text = Buffer.from(dictionary);
  const length = Buffer.alloc(major === 1 ? 2 : 4);
  length.writeUIntLE(text.length, 0, length.length);
  return new Uint8Array(
    Buffer.concat([
      Buffer.from([0x93]),
      Buffer.from('NUMPY'),
      Buffer.from([major, 0]),
      length,
      text,
      Buffer.from(data),
    ]),
  );
}
const dictionary = (descr: string, shape: string, order = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }\n`;

describe('files of NumPy', () => {
  it('compressed, of every order of bytes and of dims', () => {
    const arrays = decodeNpz(fileFrom('compressed.npz'));
    const found = Object.fromEntries(
      [...arrays].map(([name, data]) => [name, { ...data, bytes: valuesOf(data) }]),
    );
    expect(found).toEqual({
      big_endian: { type: 'int64', dims: [2, 2], bytes: ['1', '-2', '3', String(2 ** 40)] },
      empty: { type: 'float64', dims: [0, 3], bytes: [] },
      flags: { type: 'bool', dims: [3], bytes: [1, 0, 1] },
      fortran: { type: 'uint16', dims: [2, 3, 4], bytes: Array.from({ length: 24 }, (_, i) => i) },
      half: { type: 'float16', dims: [], bytes: [-1.5] },
      rows: { type: 'float32', dims: [2, 3], bytes: [0, 0.5, 1, 1.5, 2, 2.5] },
    });
  });

  it('not compressed', () => {
    const expected = new Map<string, TensorData>([
      ['a', fromNumbers('int8', [3], [0, 1, 2])],
      ['x/y', fromNumbers('float64', [1, 1], [1.5])],
    ]);
    expect(decodeNpz(fileFrom('plain.npz'))).toEqual(expected);
  });

  it('with sizes of 64 bits', () => {
    const expected = new Map<string, TensorData>([
      ['a', fromNumbers('int16', [5], [0, 1, 2, 3, 4])],
      ['b', fromNumbers('float32', [2, 2], [1, 1, 1, 1])],
    ]);
    const file = fileFrom('zip64.npz');
    expect(decodeNpz(file)).toEqual(expected);
    // The last record as it is past 4 GiB: all that it would say is in the record of 64 bits.
    const [end = 0] = positionsOf(file, 0x06054b50);
    file.fill(0xff, end + 8, end + 20);
    expect(decodeNpz(file)).toEqual(expected);
    file.fill(0, end - 20, end);
    expect(refused(() => decodeNpz(file)).message).toMatch(/a ZIP64 directory, got none/);
  });

  test.each([
    ['objects.npy', /got "\|O" \(objects are pickled, and unpickling runs code\)/],
    ['records.npy', /got "records"/],
    ['complex.npy', /got "<c8"/],
  ])('%s is refused', (name, message) => {
    const error = refused(() => decodeNpy(fileFrom(name)));
    expect(error.message).toMatch(message);
    expect(error.code).toBe('ERR_ESPALIER_UNSUPPORTED');
  });
});

describe('npy', () => {
  test.each([
    [npy(dictionary('>u2', '(2,)'), [0, 1, 2, 3]), 'uint16', [2], [1, 0x203]],
    [npy(dictionary('>f4', '()'), [0x3f, 0x80, 0, 0], 2), 'float32', [], [1]],
    [npy(dictionary('|i1', '(2, 2)', 'True'), [1, 2, 3, 255], 3), 'int8', [2, 2], [1, 3, 2, -1]],
    [npy(`{"shape": (1L, 2L), "fortran_order": False, "descr": "|b1"}`, [0, 1]), 'bool', [1, 2], [0, 1]],
  ])('reads what others write (%#)', (file, type, dims, values) => {
    const array = decodeNpy(file);
    expect({ type: array.type, dims: array.dims, values: valuesOf(array) }).toEqual({ type, dims, values });
  });

  test.each<[what: string, file: Uint8Array, message: RegExp]>([
    ['no bytes', new Uint8Array(), /to be a NumPy array/],
    ['another version', npy(dictionary('|u1', '(0,)'), [], 4), /version 1, 2 or 3, got 4/],
    ['a header past the end', npy(dictionary('|u1', '(0,)')).subarray(0, 20), /at most 10 bytes, got/],
    ['an absurd header', npy('', [0, 0], 2).fill(255, 8, 12), /at most 2 bytes, got 4294967295/],
    ['no dictionary', npy('[1]'), /header with descr, fortran_order and shape/],
    ['code', npy("__import__('os')"), /header with descr/],
    ['a missing entry', npy("{'descr': '|u1', 'shape': (0,)}"), /header with descr/],
    [
      'an open dictionary',
      npy("{'descr': '|u1', 'fortran_order': False, 'shape': (0,),"),
      /header with descr/,
    ],
    ['too few bytes', npy(dictionary('<f4', '(2,)'), [0]), /8 bytes for float32 \[2\], got 1/],
    ['too many bytes', npy(dictionary('<f4', '(0,)'), [0]), /0 bytes for float32 \[0\], got 1/],
    ['dims beyond numbers', npy(dictionary('<f4', `(${'9'.repeat(30)},)`), []), /shape of whole numbers/],
    [
      'a product beyond numbers',
      npy(dictionary('|u1', '(4294967296, 4294967296)')),
      /to hold 1844674407370955/,
    ],
    ['empty dims', npy(dictionary('|u1', '(1,,1)'), [1]), /shape of whole numbers/],
  ])('refuses %s', (_what, file, message) => {
    const error = refused(() => decodeNpy(file));
    expect(error.message).toMatch(message);
    expect(error.code).toBe('ERR_ESPALIER_MODEL');
  });

  it('writes what NumPy writes', () => {
    const expected = npy(
      dictionary('<f8', '(1, 1)').trimEnd().padEnd(117).concat('\n'),
      [0, 0, 0, 0, 0, 0, 0xf8, 0x3f],
    );
    expect(encodeNpy(fromNumbers('float64', [1, 1], [1.5]))).toEqual(expected);
  });
});

describe('npz', () => {
  const types = Object.keys(bytesPerElement) as DataType[];
  const samples = new Map(
    types.map((type) => [`of/${type}`, fromNumbers(type, [2, 1, 3], [0, 1, 1, 0, 1, 0])] as const),
  );

  it('is read back the same; bfloat16 as float32', () => {
    const back = decodeNpz(encodeNpz(samples));
    expect([...back.keys()]).toEqual([...samples.keys()]);
    for (const [name, data] of samples) {
      const expected =
        data.type === 'bfloat16' ? fromNumbers('float32', data.dims, [0, 1, 1, 0, 1, 0]) : data;
      expect(back.get(name)).toEqual(expected);
    }
  });

  it('refuses to unpack more than it may', () => {
    const error = refused(() => decodeNpz(fileFrom('compressed.npz'), 'c.npz', { maxBytes: 876 }));
    expect(error.message).toBe('Expected c.npz to unpack to at most 876 bytes, got 877');
    expect(error.code).toBe('ERR_ESPALIER_UNSUPPORTED');
  });

  it('refuses a bomb, by what it says and by what it does', () => {
    const content = npy(dictionary('|u1', '(1000000,)'), new Array(1e6).fill(0));
    const says = zipOf(deflateRawSync(content), 8, content, { size: 2 ** 31 });
    expect(refused(() => decodeNpz(says)).message).toMatch(/of at most \d+ bytes, got 2147483648/);
    const does = zipOf(deflateRawSync(content), 8, content, { size: 1000 });
    expect(refused(() => decodeNpz(does)).message).toMatch(/to unpack, got/);
    expect(decodeNpz(zipOf(deflateRawSync(content), 8, content, {})).get('a')?.dims).toEqual([1e6]);
  });

  it('refuses other files, encryption and other compressions', () => {
    const content = npy(dictionary('|u1', '(0,)'));
    expect(refused(() => decodeNpz(zipOf(content, 0, content, { name: 'a.txt' }))).message).toMatch(
      /got "a.txt"/,
    );
    expect(refused(() => decodeNpz(zipOf(content, 12, content, {}))).message).toMatch(
      /compression method 12/,
    );
    expect(refused(() => decodeNpz(zipOf(content, 0, content, { flags: 1 }))).message).toMatch(/encrypted/);
  });

  it('refuses members that overlap', () => {
    const two = encodeNpz(new Map([...samples].slice(0, 2)));
    const view = new DataView(two.buffer);
    const [first, second] = positionsOf(two, 0x02014b50);
    view.setUint32((second as number) + 42, view.getUint32((first as number) + 42, true), true);
    expect(refused(() => decodeNpz(two)).message).toMatch(/members that do not overlap/);
  });

  it.each(['compressed.npz', 'plain.npz', 'zip64.npz'])(
    'gives arrays or an error for %s with any damage',
    (name) => {
      const whole = fileFrom(name);
      for (let end = 0; end < whole.length; end++)
        expect(refused(() => decodeNpz(whole.subarray(0, end))).code).toBe('ERR_ESPALIER_MODEL');
      const expected = decodeNpz(whole);
      const next = randomNumbers(5);
      const codes = new Set<string>();
      for (let position = 0; position < whole.length; position++) {
        const damaged = new Uint8Array(whole);
        damaged[position] = (damaged[position] as number) ^ (1 + Math.floor(next() * 255));
        try {
          const arrays = decodeNpz(damaged);
          // The checksums leave only names, dates and the like to change.
          expect([...arrays.values()]).toEqual([...expected.values()]);
          codes.add('read');
        } catch (error) {
          if (!(error instanceof EspalierError)) throw error;
          codes.add(error.code);
        }
      }
      expect(codes).toContain('read');
      expect(codes).toContain('ERR_ESPALIER_MODEL');
      expect(codes).not.toContain('ERR_ESPALIER_INTERNAL');
    },
  );
});

test('readTensors goes by what a file holds', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'espalier-tensors-'));
  try {
    const tensors = new Map([['w', fromNumbers('float32', [2], [1, 2])]]);
    const files = {
      a: encodeSafetensors(tensors),
      b: encodeNpz(tensors),
      'w.npy': encodeNpy(tensors.get('w') as TensorData),
    };
    for (const [name, bytes] of Object.entries(files)) {
      await writeFile(path.join(folder, name), bytes);
      expect(await readTensors(path.join(folder, name))).toEqual(tensors);
    }
    await writeFile(path.join(folder, 'c'), 'text');
    await expect(readTensors(path.join(folder, 'c'))).rejects.toMatchObject({ code: 'ERR_ESPALIER_MODEL' });
    await expect(readTensors(path.join(folder, 'd'))).rejects.toMatchObject({ code: 'ERR_ESPALIER_FILE' });
    await expect(readTensors(folder)).rejects.toMatchObject({ code: 'ERR_ESPALIER_FILE' });
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** An archive of one member, whose directory says what is given. */
function zipOf(
  packed: Uint8Array,
  method: number,
  content: Uint8Array,
  { size = content.length, flags = 0, name = 'a.npy' },
): Uint8Array {
  const u16 = (...values: number[]) => Buffer.from(values.flatMap((value) => [value & 255, value >> 8]));
  const u32 = (...values: number[]) =>
    Buffer.concat(values.map((value) => u16(value & 0xffff, value >>> 16)));
  const fields = [
    u16(20, flags, method, 0, 33),
    u32(crc32(content), packed.length, size),
    u16(name.length, 0),
  ];
  const local = Buffer.concat([u32(0x04034b50), ...fields, Buffer.from(name), packed]);
  const central = Buffer.concat([
    u32(0x02014b50),
    u16(20),
    ...fields,
    u16(0, 0, 0),
    u32(0, 0),
    Buffer.from(name),
  ]);
  const end = [u32(0x06054b50), u16(0, 0, 1, 1), u32(central.length, local.length), u16(0)];
  return new Uint8Array(Buffer.concat([local, central, ...end]));
}

function positionsOf(bytes: Uint8Array, signature: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length - 3 }, (_, i) => i).filter(
    (i) => view.getUint32(i, true) === signature,
  );
}
