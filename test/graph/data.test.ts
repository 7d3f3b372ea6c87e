import { describe, expect, it } from 'vitest';
import { readElements } from '../../src/graph/data.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../../src/graph/half.js';
import { fromNumbers, readNumbers } from '../../src/graph/index.js';
import { erf } from '../../src/graph/operators/erf.js';
import type { DataType } from '../../src/tensor.js';

describe('TensorData', () => {
  const types: readonly DataType[] = [
    'float32',
    'float64',
    'float16',
    'bfloat16',
    'int8',
    'uint8',
    'int16',
    'uint16',
    'int32',
    'uint32',
    'int64',
    'uint64',
    'bool',
  ];

  it.each(types)('reads %s back, at any alignment', (type) => {
    const values = [0, 1, type === 'bool' ? 1 : 100];
    const data = fromNumbers(type, [3], values);
    for (let shift = 0; shift < 8; shift++) {
      const padded = new Uint8Array(data.bytes.length + 8);
      padded.set(data.bytes, shift);
      const view = padded.subarray(shift, shift + data.bytes.length);
      expect(readNumbers({ ...data, bytes: view })).toEqual(values);
    }
  });

  it('clamps 64-bit integers to safe ones', () => {
    const data = fromNumbers('int64', [2], [2n ** 63n - 1n, -(2n ** 63n)]);
    expect(readNumbers(data)).toEqual([Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]);
    expect(Array.from(readElements(data) as BigInt64Array)).toEqual([2n ** 63n - 1n, -(2n ** 63n)]);
  });

  it('refuses values that do not fill the dims', () => {
    expect(() => fromNumbers('int8', [2, 2], [1])).toThrow(
      expect.objectContaining({ code: 'ERR_ESPALIER_SHAPE' }),
    );
  });
});

describe('16-bit floats', () => {
  it('turn into numbers and back without loss', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const half = fromFloat16(bits);
      if (!Number.isNaN(half) && toFloat16(half) !== bits)
        expect.fail(`float16 ${bits} came back as ${toFloat16(half)}`);
      const brain = fromBfloat16(bits);
      if (!Number.isNaN(brain) && toBfloat16(brain) !== bits)
        expect.fail(`bfloat16 ${bits}: ${toBfloat16(brain)}`);
    }
    expect(fromFloat16(toFloat16(Number.NaN))).toBeNaN();
    expect(fromBfloat16(toBfloat16(Number.NaN))).toBeNaN();
  });

  it('round to the nearest, ties to even', () => {
    // Between neighbours: 1 + k / 1024, half way and just beside it.
    for (let k = 0; k < 1024; k++) {
      const low = 1 + k / 1024;
      expect(toFloat16(low + 1 / 2048)).toBe(0x3c00 + k + (k % 2));
      expect(toFloat16(low + 1 / 2048 - 1e-9)).toBe(0x3c00 + k);
      expect(toFloat16(low + 1 / 2048 + 1e-9)).toBe(0x3c00 + k + 1);
    }
    expect(toFloat16(65519)).toBe(0x7bff);
    expect(toFloat16(65520)).toBe(0x7c00);
    expect(toFloat16(2 ** -25)).toBe(0);
    expect(toFloat16(1.5 * 2 ** -25)).toBe(1);
    expect(toFloat16(-(2 ** -24))).toBe(0x8001);
    expect(toBfloat16(1 + 1 / 256)).toBe(0x3f80);
    expect(toBfloat16(1 + 3 / 256)).toBe(0x3f82);
  });
});

describe('erf', () => {
  // Values from Abramowitz and Stegun, Handbook of Mathematical Functions, table 7.1, and their symmetry.
  it.each([
    [0, 0],
    [0.1, 0.112462916],
    [0.5, 0.5204998778],
    [1, 0.8427007929],
    [1.5, 0.9661051465],
    [2, 0.995322265],
  ])('of %f', (x, expected) => {
    expect(erf(x)).toBeCloseTo(expected, 9);
    expect(erf(-x)).toBeCloseTo(-expected, 9);
  });

  it('goes from series to continued fraction without a step', () => {
    expect(erf(2.5) - erf(2.5 - 1e-12)).toBeLessThan(1e-13);
    expect(erf(2.5)).toBeCloseTo(0.999593047982555, 14);
    expect(erf(7)).toBe(1);
  });
});
