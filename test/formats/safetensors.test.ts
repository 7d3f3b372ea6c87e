import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { EspalierError } from '../../src/errors.js';
import {
  decodeHeader,
  decodeSafetensors,
  encodeHeader,
  encodeSafetensors,
  encodeShards,
  headerEnd,
  readSafetensors,
} from '../../src/formats/safetensors/index.js';
import { fromNumbers, type TensorData } from '../../src/graph/index.js';
import { bytesPerElement, type DataType } from '../../src/tensor.js';
import { randomNumbers } from '../graph/support.js';

/** A file of this header and this many bytes of data 0, 1, 2 ... */
function fileOf(header: string | object, dataBytes = 0): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return new Uint8Array(
    Buffer.concat([length, text, Buffer.from(Array.from({ length: dataBytes }, (_, i) => i))]),
  );
}

const entry = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

function refused(make: () => unknown): EspalierError {
  try {
    make();
  } catch (error) {
    if (error instanceof EspalierError) return error;
    throw error;
  }
  throw new Error('expected an error, got none');
}

const samples = (): Map<string, TensorData> => {
  const types = Object.keys(bytesPerElement) as DataType[];
  return new Map<string, TensorData>([
    ...types.map((type) => [`of ${type}`, fromNumbers(type, [2, 3], [0, 1, 1, 0, 1, 0])] as const),
    ['scalar', fromNumbers('float32', [], [-0])],
    ['empty', fromNumbers('float64', [0, 7], [])],
    ['1', fromNumbers('int64', [1], [-(2n ** 63n)])],
    ['__proto__', fromNumbers('uint8', [1], [7])],
    ['näme "quoted"\n', fromNumbers('bool', [1], [1])],
  ]);
};

describe('reading', () => {
  it('gives the tensors and metadata of a file written by hand', () => {
    const file = fileOf(
      { __metadata__: { format: 'pt' }, b: entry('U8', [2], 4, 6), a: entry('BF16', [2, 1], 0, 4) },
      6,
    );
    const { tensors, metadata } = decodeSafetensors(file);
    expect(metadata).toEqual({ format: 'pt' });
    expect([...tensors]).toEqual([
      ['a', { type: 'bfloat16', dims: [2, 1], bytes: new Uint8Array([0, 1, 2, 3]) }],
      ['b', { type: 'uint8', dims: [2], bytes: new Uint8Array([4, 5]) }],
    ]);
  });

  it('takes padding, an empty file and tensors of no elements', () => {
    expect(decodeSafetensors(fileOf('{}    ')).tensors.size).toBe(0);
    const file = fileOf(
      { a: entry('F32', [0, 2 ** 40], 4, 4), b: entry('F32', [], 0, 4), c: entry('F64', [0], 0, 0) },
      4,
    );
    expect([...decodeSafetensors(file).tensors.keys()]).toEqual(['c', 'b', 'a']);
  });

  const model = 'ERR_ESPALIER_MODEL';
  test.each<[what: string, file: Uint8Array, message: RegExp, code?: string]>([
    ['no bytes', new Uint8Array(), /at least 8 bytes, got 0/],
    ['a length past the end', fileOf('{}').subarray(0, 9), /a header of 2 to 1 bytes, got 2/],
    ['an absurd length', new Uint8Array(16).fill(255), /got 18446744073709551615/],
    ['no object', fileOf('[]'), /starts with "{", got byte 91/],
    ['no JSON', fileOf('{"a"'), /Expected the header of the file to be JSON, got/],
    ['no UTF-8', new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff, 0x7d]), /in UTF-8/],
    ['deep nesting', fileOf(`{"a":${'['.repeat(1e5)}`), /more than 3 levels/],
    ['many items', fileOf(`{"a":{"shape":[${'0,'.repeat(2 ** 22)}0]}}`), /more than 4194304 items/],
    [
      'a tensor twice',
      fileOf('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":0}'),
      /the key "a" twice/,
    ],
    ['a tensor twice, escaped', fileOf('{"a":0,"\\u0061":0}'), /the key "a" twice/],
    ['offsets twice', fileOf('{"a":{"shape":[], "shape" :[1]}}'), /the key "shape" twice/],
    [
      'an overlap',
      fileOf({ a: entry('U8', [4], 0, 4), b: entry('U8', [4], 2, 6) }, 6),
      /"b" at byte 4 of 6.*at 2 to 6/,
    ],
    ['a gap', fileOf({ a: entry('U8', [2], 0, 2), b: entry('U8', [2], 4, 6) }, 6), /"b" at byte 2/],
    ['bytes of no tensor', fileOf({ a: entry('U8', [2], 0, 2) }, 3), /tensors for 3 bytes of data, got 2/],
    [
      'offsets past the end',
      fileOf({ a: entry('U8', [4], 0, 4) }, 3),
      /of 3 bytes of data, got it at 0 to 4/,
    ],
    [
      'offsets in reverse',
      fileOf({ a: entry('U8', [1], 1, 0) }, 1),
      /1 bytes for U8 \[1\], got offsets 1 to 0/,
    ],
    ['dims that do not fit', fileOf({ a: entry('F32', [2], 0, 4) }, 4), /8 bytes for F32 \[2\]/],
    ['dims beyond numbers', fileOf({ a: entry('F32', [2 ** 30, 2 ** 30], 0, 4) }, 4), /offsets 0 to 4/],
    ['dims whose product wraps', fileOf({ a: entry('U8', [2 ** 32, 2 ** 32], 0, 0) }), /offsets 0 to 0/],
    [
      'negative dims',
      fileOf({ a: entry('U8', [-1, -1], 0, 1) }, 1),
      /a shape of whole numbers, got \[-1,-1\]/,
    ],
    [
      'dims past 2^53',
      fileOf('{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,0]}}'),
      /whole numbers/,
    ],
    [
      'no shape',
      fileOf({ a: { dtype: 'U8', data_offsets: [0, 0] } }),
      /a shape of whole numbers, got undefined/,
    ],
    [
      'three offsets',
      fileOf({ a: { dtype: 'U8', shape: [0], data_offsets: [0, 0, 0] } }),
      /two data_offsets/,
    ],
    ['an unknown key', fileOf({ a: { ...entry('U8', [0], 0, 0), strides: [1] } }), /got "strides"/],
    ['metadata of numbers', fileOf({ __metadata__: { a: 1 } }), /__metadata__ to hold texts/],
    ['no tensor', fileOf({ a: null }), /tensor "a" of the file to have dtype/],
    [
      '8-bit floats',
      fileOf({ a: entry('F8_E4M3', [1], 0, 1) }, 1),
      /got "F8_E4M3"/,
      'ERR_ESPALIER_UNSUPPORTED',
    ],
  ])('refuses %s', (_what, file, message, code = model) => {
    const error = refused(() => decodeSafetensors(file));
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  it('gives tensors or an error for every truncation and every flipped bit', () => {
    const whole = encodeSafetensors(samples(), { metadata: { a: 'b' } });
    for (let end = 0; end < whole.length; end++)
      expect(refused(() => decodeSafetensors(whole.subarray(0, end))).code).toBe(model);
    const end = headerEnd(whole, whole.length, 'file');
    const codes = new Set<string>();
    for (let bit = 0; bit < end * 8; bit++) {
      const damaged = new Uint8Array(whole);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      try {
        for (const { type, dims, bytes } of decodeSafetensors(damaged).tensors.values())
          expect(bytes.length).toBe(dims.reduce((product, dim) => product * dim, bytesPerElement[type]));
        codes.add('read');
      } catch (error) {
        if (!(error instanceof EspalierError)) throw error;
        codes.add(error.code);
      }
    }
    expect([...codes].sort()).toEqual([model, 'ERR_ESPALIER_UNSUPPORTED', 'read']);
  });
});

test('bytes may lie in shared memory', () => {
  const whole = encodeSafetensors(samples());
  const shared = new Uint8Array(new SharedArrayBuffer(whole.length));
  shared.set(whole);
  expect([...decodeSafetensors(shared).tensors.keys()]).toEqual([...decodeSafetensors(whole).tensors.keys()]);
});

describe('writing', () => {
  it('is read back the same, to the bit', () => {
    const metadata = { format: 'pt', 'a "key"': '\n\u0000' };
    const file = decodeSafetensors(encodeSafetensors(samples(), { metadata }));
    expect(file.metadata).toEqual(metadata);
    expect(new Map([...file.tensors].sort())).toEqual(new Map([...samples()].sort()));
  });

  it('writes the bytes of the specification', () => {
    const tensors = new Map([['w', fromNumbers('float16', [1], [1])]]);
    const header = '{"w":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}';
    const expected = fileOf(header.padEnd(56), 2);
    expected.set([0x00, 0x3c], 64);
    expect(encodeSafetensors(tensors)).toEqual(expected);
  });

  test.each([8, 64, 4096])('aligns the data to %i bytes, and each tensor to its elements', (alignment) => {
    const bytes = encodeSafetensors(samples(), { alignment });
    const { dataStart, entries } = decodeHeader(bytes, bytes.length, 'file');
    expect(dataStart % alignment).toBe(0);
    for (const { type, begin } of entries.values()) expect(begin % bytesPerElement[type]).toBe(0);
  });

  it('refuses what no reader would take', () => {
    const one = new Map([['a', fromNumbers('uint8', [1], [1])]]);
    const short = new Map([['a', { type: 'float32', dims: [2], bytes: new Uint8Array(4) } as const]]);
    const twice = [
      ['a', { type: 'uint8', dims: [1] }] as const,
      ['a', { type: 'uint8', dims: [1] }] as const,
    ];
    expect(refused(() => encodeSafetensors(one, { alignment: 24 })).message).toMatch(/power of two/);
    expect(refused(() => encodeSafetensors(short)).code).toBe('ERR_ESPALIER_SHAPE');
    expect(refused(() => encodeHeader(twice)).message).toMatch(/names of their own/);
    expect(refused(() => encodeHeader([['__metadata__', { type: 'uint8', dims: [1] }]])).code).toBe(
      'ERR_ESPALIER_ARGUMENT',
    );
    expect(refused(() => encodeHeader([['\ud800', { type: 'uint8', dims: [1] }]])).code).toBe(
      'ERR_ESPALIER_ARGUMENT',
    );
  });
});

describe('shards', () => {
  let folder = '';
  const at = (name: string) => path.join(folder, name);
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'espalier-shards-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const random = randomNumbers(3);
  const tensors = new Map(
    Array.from({ length: 7 }, (_, i) => [
      `layer.${i}`,
      fromNumbers('float32', [i + 1, 4], Array.from({ length: (i + 1) * 4 }, random)),
    ]),
  );
  const writeAll = async (files: ReadonlyMap<string, Uint8Array>) => {
    for (const [name, bytes] of files) await writeFile(at(name), bytes);
  };
  const index = (map: object) =>
    writeFile(at('m.safetensors.index.json'), JSON.stringify({ weight_map: map }));
  const read = () => readSafetensors(at('m.safetensors.index.json'));

  it('are read back as one model', async () => {
    const files = encodeShards(tensors, { shardBytes: 150, metadata: { format: 'pt' } });
    expect([...files.keys()].slice(0, 2)).toEqual([
      'model-00001-of-00004.safetensors',
      'model-00002-of-00004.safetensors',
    ]);
    await writeAll(files);
    const file = await readSafetensors(at('model.safetensors.index.json'));
    expect(file).toEqual({ tensors, metadata: { format: 'pt' } });
  });

  it('are one plain file when everything fits', async () => {
    const files = encodeShards(tensors, { shardBytes: 1e6 });
    expect([...files.keys()]).toEqual(['model.safetensors']);
    await writeAll(files);
    expect((await readSafetensors(at('model.safetensors'))).tensors).toEqual(tensors);
  });

  it('must agree with their index', async () => {
    await writeAll(encodeShards(new Map([...tensors].slice(0, 2)), { shardBytes: 1e6 }));
    const code = 'ERR_ESPALIER_MODEL';
    await index({ 'layer.0': 'model.safetensors' });
    await expect(read()).rejects.toMatchObject({
      code,
      message: expect.stringContaining('"layer.1" lies in'),
    });
    await index({
      'layer.0': 'model.safetensors',
      'layer.1': 'model.safetensors',
      other: 'model.safetensors',
    });
    await expect(read()).rejects.toMatchObject({ code, message: expect.stringContaining('"other", which') });
    await index({});
    await expect(read()).rejects.toMatchObject({ code });
  });

  it('are read or refused for any damage to the index', async () => {
    const files = encodeShards(new Map([...tensors].slice(0, 3)), { shardBytes: 50 });
    await writeAll(files);
    const whole = files.get('model.safetensors.index.json') as Uint8Array;
    const damage = (position: number) => {
      const damaged = new Uint8Array(whole);
      damaged[position] = (damaged[position] as number) ^ (1 + Math.floor(random() * 255));
      return damaged;
    };
    const cuts = Array.from(whole, (_, end) => whole.subarray(0, end));
    const codes = new Set<string>();
    for (const bytes of [...cuts, ...Array.from(whole, (_, position) => damage(position))]) {
      await writeFile(at('m.safetensors.index.json'), bytes);
      const code = await read().then(
        () => 'read',
        (error: unknown) => (error instanceof EspalierError ? error.code : String(error)),
      );
      codes.add(code);
    }
    expect([...codes].sort()).toEqual(['ERR_ESPALIER_FILE', 'ERR_ESPALIER_MODEL', 'read']);
  });

  it('must lie beside it', async () => {
    await writeFile(path.join(folder, '..', `${path.basename(folder)}.out`), encodeSafetensors(tensors));
    try {
      for (const name of [`../${path.basename(folder)}.out`, '/etc/passwd', 'a\0b']) {
        await index({ a: name });
        await expect(read()).rejects.toMatchObject({ code: 'ERR_ESPALIER_MODEL' });
      }
      await symlink(`../${path.basename(folder)}.out`, at('link'));
      await index({ a: 'link' });
      await expect(read()).rejects.toMatchObject({ code: 'ERR_ESPALIER_MODEL' });
      await index({ a: 'absent' });
      await expect(read()).rejects.toMatchObject({ code: 'ERR_ESPALIER_FILE' });
    } finally {
      await rm(path.join(folder, '..', `${path.basename(folder)}.out`));
    }
  });
});
