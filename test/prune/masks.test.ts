import { describe, expect, it, test } from 'vitest';
import { decodeSafetensors, encodeSafetensors } from '../../src/formats/index.js';
import { fromNumbers, readNumbers, type TensorData } from '../../src/graph/index.js';
import { applyPruning, masksOf, planMasks, planPruning, planTotals } from '../../src/prune/index.js';
import { chain, everyKind, randomConstant, seeded } from './graphs.js';

const random = seeded(4);
const graph = chain(
  [
    { name: 'conv', op: 'Conv', weight: 'c' },
    { name: 'head', op: 'MatMul', weight: 'm' },
    { name: 'act', op: 'Relu', weight: '' },
  ],
  {
    c: randomConstant([8, 3, 3, 3], random),
    m: randomConstant([12, 20], random),
    other: randomConstant([2], random),
  },
);
const weightOf = (name: string) => graph.constants.get(name) as TensorData;

describe('masks by name', () => {
  test.each(['unstructured', '4x1', '2x3'] as const)(
    'of a %s plan prune the same through a file',
    (pattern) => {
      const every = everyKind(3);
      const plan = planPruning(every, { sparsity: 0.5, pattern });
      const { tensors } = decodeSafetensors(encodeSafetensors(masksOf(every, plan)));
      const again = planMasks(every, tensors);
      expect(applyPruning(every, again)).toEqual(applyPruning(every, plan));
      expect(again.layers.map(({ removed }) => removed)).toEqual(plan.layers.map(({ removed }) => removed));
      expect(again.options.sparsity).toBe(planTotals(plan).sparsity);
    },
  );

  test.each(['bool', 'uint8', 'float32', 'int64', 'bfloat16'] as const)(
    'remove what a mask of %s says',
    (type) => {
      const values = Array.from({ length: 240 }, (_, i) => (i % 3 === 0 ? 0 : 1));
      const plan = planMasks(graph, new Map([['m_mask', fromNumbers(type, [12, 20], values)]]));
      const pruned = applyPruning(graph, plan).constants;
      const expected = readNumbers(weightOf('m')).map((weight, i) => weight * (values[i] as number) + 0);
      expect(readNumbers(pruned.get('m') as TensorData).map((weight) => weight + 0)).toEqual(expected);
      expect(pruned.get('c')).toBe(weightOf('c'));
      expect(plan.layers.map(({ name, removed, sparsity }) => ({ name, removed, sparsity }))).toEqual([
        { name: 'head', removed: 80, sparsity: 1 / 3 },
      ]);
    },
  );

  it('may be transposed, as those of a Linear are', () => {
    const kept = planMasks(
      graph,
      new Map([['m', fromNumbers('bool', [20, 12], new Array(240).fill(1).fill(0, 0, 12))]]),
    );
    const pruned = readNumbers(applyPruning(graph, kept).constants.get('m') as TensorData);
    const zeros = pruned.flatMap((weight, i) => (weight === 0 ? [i % 20] : []));
    expect(zeros).toEqual(new Array(12).fill(0)); // output 0 of graph input
  });

  test.each<[what: string, name: string, mask: TensorData, message: RegExp]>([
    [
      'of another value',
      'm',
      fromNumbers('float32', [12, 20], new Array(240).fill(0.5)),
      /0 and 1 for weight "m", got 0.5/,
    ],
    ['of NaN', 'm', fromNumbers('float32', [12, 20], new Array(240).fill(Number.NaN)), /got NaN/],
    [
      'of no layer',
      'other',
      fromNumbers('bool', [2], [0, 1]),
      /weights of a Conv, Gemm or MatMul, got one for "other"/,
    ],
    ['of nothing', 'x', fromNumbers('bool', [2], [0, 1]), /constant for tensor "x"/],
    [
      'of other dims',
      'c',
      fromNumbers('bool', [8, 27], new Array(216).fill(1)),
      /to be \[8, 3, 3, 3\], got \[8, 27\]/,
    ],
  ])('%s are refused', (_what, name, mask, message) => {
    expect(() => planMasks(graph, new Map([[name, mask]]))).toThrow(message);
  });
});
