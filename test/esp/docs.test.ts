import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeSafetensors } from '../../src/formats/safetensors/index.js';
import { unpack } from '../../src/sparse/index.js';
import { describeExample, exampleFile, exampleGraph } from './example.js';

const page = readFileSync(new URL('../../docs/esp.md', import.meta.url), 'utf8');

interface Row {
  readonly at: number;
  readonly bytes: number;
  readonly rest: string;
}

/** The rows of the page's or the example's table of a file. */
function rowsOf(text: string): Row[] {
  return [...text.matchAll(/^\| (\d+) \| (\d+) \| (.*)$/gm)].map(([, at, bytes, rest = '']) => ({
    at: Number(at),
    bytes: Number(bytes),
    rest,
  }));
}

/** What stays the same in a row, whichever zlib wrote the streams; a version of espalier changes the hashes. */
function stable({ bytes, rest }: Row): string {
  if (/`espalier\.(graph|weights)`/.test(rest))
    return rest.replace(/\[\d+\]/, '[]').replace(/`78 da [0-9a-f ]+`/, '`78 da`');
  return `${bytes} ${rest.includes('espalier.sha256') ? rest.replace(/`[0-9a-f ]+`/, '') : rest}`;
}

test('the example of docs/esp.md is what the compiler writes', () => {
  const { table, weights } = describeExample();
  expect(page).toContain(weights);
  const [stated, written] = [rowsOf(page), rowsOf(table)];
  expect(stated.map(stable)).toEqual(written.map(stable));
  for (const rows of [stated, written])
    expect(rows.map(({ at }) => at).slice(1)).toEqual(rows.map(({ at, bytes }) => at + bytes).slice(0, -1));
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
