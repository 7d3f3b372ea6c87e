import { describe, expect, it, test } from 'vitest';
import { EspalierError } from '../../src/errors.js';
import { decodeSafetensors, encodeSafetensors } from '../../src/formats/index.js';
import { fromNumbers, type Graph, loadWeights, readNumbers, type TensorData } from '../../src/graph/index.js';
import { floats } from './support.js';

const graphOf = (constants: Readonly<Record<string, TensorData>>): Graph => ({
  name: 'test',
  inputs: [],
  outputs: [],
  nodes: [],
  constants: new Map(Object.entries(constants)),
  opsets: new Map([['', 17]]),
  metadata: {},
});

const tensors = (entries: Readonly<Record<string, TensorData>>) => new Map(Object.entries(entries));

describe('loadWeights', () => {
  const graph = graphOf({ w: floats([2, 3]), s: floats([2, 2]), i: fromNumbers('int64', [1], [5]) });
  const rows = fromNumbers('float32', [2, 3], [1, 2, 3, 4, 5, 6]);
  const columns = fromNumbers('float32', [3, 2], [1, 4, 2, 5, 3, 6]);

  it('takes the weights of a safetensors file to the bit, and leaves the rest and the graph as they are', () => {
    const donor = graphOf({ w: floats([2, 3], undefined, 9) });
    const loaded = loadWeights(graph, decodeSafetensors(encodeSafetensors(donor.constants)).tensors);
    expect(loaded.constants.get('w')).toEqual(donor.constants.get('w'));
    expect(loaded.constants.get('s')).toBe(graph.constants.get('s'));
    expect(graph.constants.get('w')).toEqual(floats([2, 3]));
  });

  it('turns what dims show to be transposed, and what the user names', () => {
    expect(loadWeights(graph, tensors({ w: columns })).constants.get('w')).toEqual(rows);
    expect(loadWeights(graph, tensors({ w: columns }), { transposed: [/w/g] }).constants.get('w')).toEqual(
      rows,
    );
    const square = fromNumbers('float32', [2, 2], [1, 2, 3, 4]);
    const turned = loadWeights(graph, tensors({ s: square }), { transposed: ['s'] }).constants.get(
      's',
    ) as TensorData;
    expect(readNumbers(turned)).toEqual([1, 3, 2, 4]);
    expect(loadWeights(graph, tensors({ s: square })).constants.get('s')).toEqual(square);
  });

  it('goes by other names', () => {
    const loaded = loadWeights(graph, tensors({ 'fc.weight': rows, other: rows }), {
      names: { 'fc.weight': 'w' },
      unknown: 'ignore',
    });
    expect(loaded.constants.get('w')).toEqual(rows);
  });

  test.each(['float16', 'bfloat16'] as const)('widens every %s exactly', (type) => {
    const bits = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
    const all = { type, dims: [2 ** 16], bytes: new Uint8Array(bits.buffer) };
    const wide = graphOf({
      f: floats([2 ** 16]),
      d: fromNumbers('float64', [2 ** 16], new Array(2 ** 16).fill(0)),
    });
    const loaded = loadWeights(wide, tensors({ f: all, d: all }));
    const [f, d] = ['f', 'd'].map((name) => readNumbers(loaded.constants.get(name) as TensorData));
    for (let i = 0; i < 2 ** 16; i++) {
      const expected = halfOf(type, i);
      if (!Object.is(f?.[i], expected) || !Object.is(d?.[i], expected))
        throw new Error(`expected ${expected} for ${i}, got ${f?.[i]} and ${d?.[i]}`);
    }
  });

  test.each<
    [what: string, given: Record<string, TensorData>, options: object, code: string, message: RegExp]
  >([
    ['a stranger', { v: rows }, {}, 'ARGUMENT', /constant for tensor "v", got none called "v"/],
    ['other dims', { w: floats([6]) }, {}, 'SHAPE', /"w" to be \[2, 3\], got \[6\]/],
    ['turned dims, where others are named', { w: columns }, { transposed: [] }, 'SHAPE', /got \[3, 2\]/],
    [
      'rows said to be columns',
      { w: rows },
      { transposed: ['w'] },
      'SHAPE',
      /\[2, 3\] transposed, got \[2, 3\]/,
    ],
    ['a guess', { w: columns, s: floats([2, 2]) }, {}, 'ARGUMENT', /`transposed` to name .*"w".*"s"/],
    ['two for one', { w: rows, v: rows }, { names: { v: 'w' } }, 'ARGUMENT', /one tensor for constant "w"/],
    [
      'rounding',
      { w: fromNumbers('float64', [2, 3], [1, 2, 3, 4, 5, 6]) },
      {},
      'TYPE',
      /float32 holds exactly/,
    ],
    [
      'other integers',
      { i: fromNumbers('int32', [1], [5]) },
      {},
      'TYPE',
      /int64 holds exactly, got int32 \[1\]/,
    ],
    ['too few bytes', { w: { ...rows, bytes: new Uint8Array(4) } }, {}, 'SHAPE', /Expected 24 bytes/],
  ])('refuses %s', (_what, given, options, code, message) => {
    try {
      loadWeights(graph, tensors(given), options);
    } catch (error) {
      expect(error).toBeInstanceOf(EspalierError);
      expect((error as EspalierError).message).toMatch(message);
      expect((error as EspalierError).code).toBe(`ERR_ESPALIER_${code}`);
      return;
    }
    throw new Error('expected an error, got none');
  });
});

/** The value of 16 bits by the definition of the type, in float64. */
function halfOf(type: 'float16' | 'bfloat16', bits: number): number {
  const [exponentBits, fractionBits] = type === 'float16' ? [5, 10] : [8, 7];
  const bias = 2 ** (exponentBits - 1) - 1;
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const sign = bits >> 15 ? -1 : 1;
  if (exponent === 2 ** exponentBits - 1)
    return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}
