import { describe, expect, test } from 'vitest';
import { diffStructure, diffTensors } from '../../src/evaluate/diff.js';
import { diffOutputs } from '../../src/evaluate/diff_outputs.js';
import { difference } from '../../src/evaluate/difference.js';
import { fromNumbers } from '../../src/graph/index.js';
import { Tensor } from '../../src/tensor.js';
import { buildGraph, floats, node } from '../graph/support.js';

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

test.each<[a: (number | bigint)[], b: (number | bigint)[], expected: [number, number, number]]>([
  [[], [], [0, 0, 0]],
  [
    [1, -4],
    [1, -3],
    [1, 0.25, 0.5],
  ],
  [
    [0, 0],
    [0, 2],
    [2, infinity, 0.5],
  ],
  [
    [nan, infinity],
    [nan, infinity],
    [0, 0, 0],
  ],
  [
    [nan, 2],
    [1, 2],
    [infinity, infinity, 0.5],
  ],
  [
    [infinity, 2],
    [1, 2],
    [infinity, infinity, 0.5],
  ],
  [
    [2n ** 62n, 1n],
    [2n ** 62n + 1n, 1n],
    [1, 2 ** -62, 0.5],
  ],
  [
    [3n, 5n],
    [3, 5.5],
    [0.5, 0.1, 0.5],
  ],
])('difference of %o and %o', (a, b, [max, relative, share]) => {
  expect(difference(a, b)).toEqual({ max, relative, share });
});

test('tensors of other types compare by value, of other dims not at all', () => {
  const a = new Map([
    ['w', fromNumbers('float16', [2], [1, 0])],
    ['v', fromNumbers('float32', [2], [1, 2])],
  ]);
  const b = new Map([
    ['w', fromNumbers('float32', [2], [1, 0.5])],
    ['v', fromNumbers('float32', [2, 1], [1, 2])],
  ]);
  const shares: number[] = [];
  const [w, v] = diffTensors(a, b, (share) => shares.push(share));
  expect(w).toMatchObject({ a: { sparsity: 0.5 }, b: { sparsity: 0 }, difference: { max: 0.5, share: 0.5 } });
  expect(v?.difference).toBeNull();
  expect(shares).toEqual([0.5, 1]);
});

test('outputs of halves compare by value', () => {
  const runs = (...bits: number[]) => ({
    runSync: () => ({ y: new Tensor('float16', Uint16Array.from(bits), [bits.length]) }),
  });
  const [y] = diffOutputs(runs(0x3c00, 0x4000), runs(0x3c00, 0x4200), {});
  expect(y).toEqual({
    name: 'y',
    type: 'float16',
    dims: [2],
    difference: { max: 1, relative: 0.5, share: 0.5 },
  });
  expect(diffOutputs(runs(0), runs(0, 0), {})[0]?.difference).toBeNull();
});

describe('structure', () => {
  const graph = (attributes: Parameters<typeof node>[3], opset = 17) =>
    buildGraph({
      opset,
      inputs: { x: ['float32', 'n', 4] },
      constants: { w: floats([4, 4]) },
      nodes: [node('Gemm', ['x', 'w'], ['y'], attributes)],
      outputs: { y: 'float32' },
    });

  test.each<[a: Parameters<typeof node>[3], b: Parameters<typeof node>[3], changed: string[]]>([
    [{ alpha: 1, transB: 1n }, { transB: 1n, alpha: 1 }, []],
    [{ transB: 1n }, { transB: 0n }, ['Gemm_y']],
    [{ alpha: 0 }, { alpha: -0 }, []],
    [{ alpha: nan }, { alpha: infinity }, ['Gemm_y']],
    [{ value: floats([2], [1, 2]) }, { value: floats([2], [1, 3]) }, ['Gemm_y']],
    [{ axes: [1n, 2n] }, { axes: [1n] }, ['Gemm_y']],
  ])('attributes %o and %o', (a, b, changed) => {
    expect(diffStructure(graph(a), graph(b)).changed).toEqual(changed);
  });

  test('nodes that only one has', () => {
    const more = { ...graph({}), nodes: [...graph({}).nodes, node('Relu', ['y'], ['z'])] };
    expect(diffStructure(graph({}), more)).toMatchObject({ onlyInA: [], onlyInB: ['Relu_z'], changed: [] });
    expect(diffStructure(more, graph({}))).toMatchObject({ onlyInA: ['Relu_z'], onlyInB: [], changed: [] });
  });
});
