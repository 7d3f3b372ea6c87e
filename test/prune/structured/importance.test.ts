import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../../src/graph/index.js';
import {
  activationTaylor,
  findGroups,
  type GroupImportance,
  groupScale,
  groupTaylor,
  planStructuredPruning,
  type StructuredGroup,
} from '../../../src/prune/index.js';
import { constant } from '../graphs.js';

/** Two channels between two convolutions of 1 x 1, with a batch normalisation behind the first. */
function network() {
  const b = new GraphBuilder();
  const x = b.input('x', [1, 1, 2, 2]);
  const first = b.node('Conv', [x, b.constant([2, 1, 1, 1], [2, -3], 'w1')], {}, 'first');
  const normalised = b.node('BatchNormalization', [
    first,
    b.constant([2], [0.5, -4], 'gamma'),
    b.constant([2], [1, 2], 'beta'),
    b.constant([2], [0, 0], 'mean'),
    b.constant([2], [1, 1], 'variance'),
  ]);
  const active = b.node('Relu', [normalised], {}, 'act');
  const last = b.node('Conv', [active, b.constant([3, 2, 1, 1], [1, 2, 3, 4, 5, 6], 'w2')], {}, 'last');
  return b.output('y', last).build();
}

const graph = network();
const [group] = findGroups(graph) as [StructuredGroup];
const gradients = new Map([
  ['w1', constant([2, 1, 1, 1], [3, 1])],
  ['gamma', constant([2], [2, 1])],
  ['beta', constant([2], [-1, 5])],
  ['w2', constant([3, 2, 1, 1], [1, -1, 1, 0, 1, 2])],
]);
const scores = (importance: GroupImportance) => Array.from(importance(graph, group) ?? []);

describe('scores of whole units, worked out by hand', () => {
  test('groupTaylor: the square of the sum of g w', () => {
    // Filters: 2 * 3 and -3 * 1; gates: 0.5 * 2 - 1 and -4 + 10; inputs of w2: 1 + 3 + 5 and -2 + 0 + 12.
    expect(scores(groupTaylor(gradients, 'output'))).toEqual([36, 9]);
    expect(scores(groupTaylor(gradients, 'gate'))).toEqual([0, 36]);
    expect(scores(groupTaylor(gradients))).toEqual([(6 + 0 + 9) ** 2, (-3 + 6 + 10) ** 2]);
    const negative = new Map([['w1', constant([2, 1, 1, 1], [-1, -1])]]);
    expect(scores(groupTaylor([gradients, negative], 'output'))).toEqual([(36 + 4) / 2, (9 + 9) / 2]);
    expect(() => scores(groupTaylor(new Map()))).toThrow(
      /a gradient of one of "w1".* for group "first", got none/,
    );
    const short = new Map([['w1', constant([1], [1])]]);
    expect(() => scores(groupTaylor(short))).toThrow('Expected a gradient of "w1" of [2, 1, 1, 1], got [1]');
  });

  test('activationTaylor: |mean of z g| over positions, its mean over samples, of norm 1', () => {
    const { name } = { name: graph.nodes.find(({ op }) => op === 'Relu')?.outputs[0] ?? '' };
    const z = new Map([[name, constant([2, 2, 1, 2], [1, 3, 2, 0, 1, 1, 4, 4])]]);
    const g = new Map([[name, constant([2, 2, 1, 2], [2, 2, 1, 9, -1, -1, 1, -1])]]);
    // Sample 1: (2 + 6) / 2 = 4 and (2 + 0) / 2 = 1; sample 2: |-2 / 2| = 1 and 0. Means 2.5 and 0.5.
    const norm = Math.hypot(2.5, 0.5);
    scores(activationTaylor(z, g)).forEach((score, i) => {
      expect(score).toBeCloseTo([2.5 / norm, 0.5 / norm][i] as number, 12);
    });
    expect(() => scores(activationTaylor(new Map(), g))).toThrow(
      /activations of one of .* for group "first"/,
    );
  });

  test('groupScale: |gamma|; groups without a batch normalisation are left to their weights', () => {
    expect(scores(groupScale)).toEqual([0.5, 4]);
    const plain = new GraphBuilder();
    const hidden = plain.node('MatMul', [
      plain.input('x', [1, 3]),
      plain.constant([3, 2], [1, 1, 9, 1, 1, 1], 'w'),
    ]);
    const y = plain.node('MatMul', [plain.node('Relu', [hidden]), plain.constant([2, 1], [1, 1])]);
    const other = plain.output('y', y).build();
    expect(groupScale(other, findGroups(other)[0] as StructuredGroup)).toBeUndefined();
    const plan = planStructuredPruning(other, { sparsity: 0.5, groupImportance: groupScale });
    expect(plan.groups[0]?.kept).toEqual([0]);
  });

  test("a user's function decides, and is checked", () => {
    const keep =
      (wanted: number): GroupImportance =>
      (_graph, { units }) =>
        Float64Array.from({ length: units }, (_, unit) => (unit === wanted ? 1 : 0));
    for (const wanted of [0, 1]) {
      const plan = planStructuredPruning(graph, { sparsity: 0.5, groupImportance: keep(wanted) });
      expect(plan.groups[0]?.kept).toEqual([wanted]);
    }
    expect(
      planStructuredPruning(graph, { sparsity: 0.5, groupImportance: groupScale }).options.importance,
    ).toBe('groupScale');
    const wrong = (values: Float64Array) => () =>
      planStructuredPruning(graph, { sparsity: 0.5, groupImportance: () => values });
    expect(wrong(Float64Array.of(1))).toThrow(
      /of group "first" to be a Float64Array of 2 numbers, got 1 values/,
    );
    expect(wrong(Float64Array.of(1, Number.NaN))).toThrow(/got NaN/);
  });
});
