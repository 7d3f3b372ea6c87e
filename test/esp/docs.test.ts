import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeSafetensors } from '../../src/formats/safetensors/index.js';
import { unpack } from '../../src/sparse/index.js';
import { describeExample, exampleFile, exampleGraph } from './example.js';

const page = readFileSync(new URL('../../docs/esp.md', import.meta.url), 'utf8');

/**
 * The rows of tables about a file, without what another zlib or another version of espalier would change: where tensors
 * lie, how long the header and streams are, and the hashes.
 */
function rowsOf(text: string): string[] {
  return [...text.matchAll(/^\| \d+ \| (\d+) \| (.*)$/gm)].map(([, bytes, rest = '']) =>
    /header|`espalier/.test(rest) ? rest.replace(/(\[\d+\] )?\|[^|]*\|$/, '') : `${bytes} ${rest}`,
  );
}

test('the example of docs/esp.md is what the compiler writes', () => {
  const { table, weights } = describeExample();
  expect(page).toContain(weights);
  expect(rowsOf(page)).toEqual(expect.arrayContaining(rowsOf(table)));
});

test('the example can be read by hand, as the page says', () => {
  const { tensors } = decodeSafetensors(exampleFile());
  const [values, columns, offsets] = ['w/values', 'w/columns', 'w/offsets'].map((name) => tensors.get(name));
  const sizes = { values: 128, columns: 4, offsets: 8 };
  const sections = Object.fromEntries(
    [values, columns, offsets].map((tensor, i) => {
      const [name, size] = Object.entries(sizes)[i] as [string, number];
      return [name, tensor?.bytes.subarray(0, size) as Uint8Array];
    }),
  );
  const packed = {
    format: 'block16',
    storage: 'float32',
    rows: 16,
    cols: 6,
    blockCols: 0,
    chunkRows: 0,
    sections,
  };
  const dense = unpack(packed as Parameters<typeof unpack>[0]); // [outputs, inputs]
  const bytes = exampleGraph().constants.get('w')?.bytes ?? new Uint8Array();
  const stated = new Float32Array(new Uint8Array(bytes).buffer); // [inputs, outputs]
  expect(Array.from(dense)).toEqual(
    Array.from({ length: 96 }, (_, i) => stated[(i % 6) * 16 + Math.floor(i / 6)]),
  );
});
