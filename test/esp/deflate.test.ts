import { constants } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { deflate, inflate } from '../../src/formats/esp/deflate.js';
import { expectError } from '../session/support.js';

test('what is deflated comes back, zeros that would be shorter than readers take among them', () => {
  for (const bytes of [
    new Uint8Array(),
    new Uint8Array(2 ** 20),
    Uint8Array.from({ length: 1000 }, (_, i) => i * i),
  ]) {
    const deflated = deflate(bytes);
    expect(deflated.length * 64).toBeGreaterThanOrEqual(bytes.length);
    expect([...inflate(new Uint8Array([...deflated, 0, 0, 0]), 'bytes')]).toEqual([...bytes]);
  }
});

test('a stream may be so long that 64 times its bytes would be more than Node can hold', () => {
  const random = randomBytes(2 ** 20);
  const bytes = Buffer.concat(new Array(70).fill(random));
  const deflated = deflateSync(bytes, { level: 0 });
  expect(deflated.length * 64).toBeGreaterThan(constants.MAX_LENGTH);
  expect(Buffer.compare(inflate(deflated, 'bytes'), bytes)).toBe(0);
});

test('a stream is an error that ends too soon, or is none', async () => {
  const cut = deflate(new Uint8Array(1000)).subarray(0, 9);
  for (const stream of [cut, new Uint8Array(), new Uint8Array(9)])
    await expectError(
      () => inflate(stream, 'bytes'),
      'ERR_ESPALIER_MODEL',
      /Expected bytes to be a zlib stream/,
    );
});
