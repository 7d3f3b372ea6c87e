import { describe, expect, test } from 'vitest';
import { fromFloat16, toFloat16 } from '../../src/graph/half.js';
import { type EspalierError, errorCodes } from '../../src/index.js';
import {
  convert,
  type PackedMatrix,
  type PackOptions,
  pack,
  unpack,
  weightFormats,
  weightStorages,
} from '../../src/sparse/index.js';
import { seeded } from '../prune/graphs.js';

const shapes = [
  [1, 1],
  [16, 32],
  [17, 33],
  [3, 300],
  [100, 193],
  [65, 1],
] as const;

function randomMatrix(rows: number, cols: number, density: number, seed = 7): Float32Array {
  const random = seeded(seed);
  return Float32Array.from({ length: rows * cols }, () => (random() < density ? random() * 4 - 2 || 1 : 0));
}

/** csr keeps float32. */
const kinds = weightFormats.flatMap((format) =>
  weightStorages.filter((s) => format !== 'csr' || s === 'float32').map((storage) => ({ format, storage })),
);

describe('pack and unpack', () => {
  test.each(kinds)('$format, $storage: give the matrix back', ({ format, storage }) => {
    for (const [rows, cols] of shapes) {
      for (const density of [0, 0.05, 0.5, 1]) {
        const matrix = randomMatrix(rows, cols, density);
        const expected = storage === 'float16' ? matrix.map((x) => fromFloat16(toFloat16(x))) : matrix;
        const packed = pack(matrix, { rows, cols, format, storage });
        expect(packed).toMatchObject({ rows, cols, format, storage });
        expect(unpack(packed)).toEqual(expected);
        for (const section of Object.values(packed.sections)) expect(section.byteOffset % 64).toBe(0);
      }
    }
  });

  test.each(weightFormats)('%s converts to every format', (from) => {
    const [rows, cols] = [33, 70];
    const matrix = randomMatrix(rows, cols, 0.2);
    const packed = pack(matrix, { rows, cols, format: from });
    for (const to of weightFormats) {
      const converted = convert(packed, to);
      expect(converted.format).toBe(to);
      expect(unpack(converted)).toEqual(matrix);
    }
  });

  test('a view onto a larger buffer is packed, and nothing beside it', () => {
    const whole = randomMatrix(1, 200, 1);
    const packed = pack(whole.subarray(3, 3 + 48), { rows: 6, cols: 8, format: 'sell' });
    expect(unpack(packed)).toEqual(whole.slice(3, 3 + 48));
  });

  test('denormals become zeros', () => {
    const packed = pack(Float32Array.of(1e-41, 2, -1e-40, 0), { rows: 2, cols: 2, format: 'dense' });
    expect([...unpack(packed)].map(Math.abs)).toEqual([0, 2, 0, 0]);
  });

  test.each(kinds)(
    '$format, $storage: sections that are not what they should be are typed errors or a matrix',
    (kind) => {
      const [rows, cols] = [40, 70];
      const packed = pack(randomMatrix(rows, cols, 0.3), { rows, cols, ...kind });
      const random = seeded(11);
      const outcomes = { errors: 0, matrices: 0 };
      const attempt = (wrong: unknown) => {
        try {
          expect(unpack(wrong as PackedMatrix)).toHaveLength(rows * cols);
          outcomes.matrices++;
        } catch (error) {
          expect(errorCodes).toContain((error as EspalierError).code);
          outcomes.errors++;
        }
      };
      for (const [name, section] of Object.entries(packed.sections)) {
        const { [name]: _, ...rest } = packed.sections;
        attempt({ ...packed, sections: rest });
        for (const end of [0, 1, section.length - 1]) {
          if (end < section.length)
            attempt({ ...packed, sections: { ...packed.sections, [name]: section.slice(0, end) } });
        }
        for (let flip = 0; flip < 200 && section.length > 0; flip++) {
          const changed = section.slice();
          const at = Math.floor(random() * changed.length);
          changed[at] = (changed[at] as number) ^ (1 << Math.floor(random() * 8));
          attempt({ ...packed, sections: { ...packed.sections, [name]: changed } });
        }
      }
      for (const wrong of [
        {},
        { ...packed, sections: null },
        { ...packed, format: 'none' },
        { ...packed, sections: [] },
      ]) {
        const before = outcomes.errors;
        attempt(wrong);
        expect(outcomes.errors).toBe(before + 1);
      }
      expect(outcomes.matrices).toBeGreaterThan(0); // a flipped value is a value
    },
  );
});

describe('what cannot be packed', () => {
  const matrix = new Float32Array(6);
  const good = { rows: 2, cols: 3, format: 'dense' } as const;
  test.each([
    [{ ...good, format: 'bsr' }, /format to be one of dense, block16/],
    [{ ...good, rows: 0 }, /rows to be at least 1, got 0/],
    [{ ...good, cols: 1.5 }, /cols to be an integer, got 1\.5/],
    [{ ...good, storage: 'int8' }, /storage to be one of float32, float16/],
    [{ ...good, colums: 3 }, /Unknown key "colums" in pack options; did you mean "cols"\?/],
    [{ ...good, rows: 3 }, /the matrix to be 3 x 3 = 9 values, got 6/],
  ])('%j', (options, message) => {
    expect(() => pack(matrix, options as PackOptions)).toThrow(message);
  });

  test('what is no matrix', () => {
    expect(() => pack([1] as unknown as Float32Array, { rows: 1, cols: 1, format: 'dense' })).toThrow(
      /a Float32Array, got object/,
    );
    for (const wrong of [null, undefined, 3])
      expect(() => unpack(wrong as unknown as PackedMatrix)).toThrow(/a packed matrix, got/);
  });
});
