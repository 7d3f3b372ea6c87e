import { describe, expect, test } from 'vitest';
import type { Graph } from '../../../src/graph/graph.js';
import { GraphBuilder } from '../../../src/graph/index.js';
import {
  applyStructuredPruning,
  formatStructuredPlan,
  planStructuredPruning,
  type StructuredPlan,
  type StructuredPruneOptions,
} from '../../../src/prune/structured/index.js';
import { smallNetworks } from '../../networks/small.js';
import { parametersOf } from './support.js';

/** x [1, 2] -> 4 neurons -> y [1, 2], the neurons ever more important; then 0, 3, 2, 1 by what goes out. */
function neurons(): Graph {
  const b = new GraphBuilder();
  const first = b.constant([2, 4], [1, 2, 3, 4, -1, 2, -3, 4], 'first');
  const second = b.constant([4, 2], [1, 1, 9, -9, 6, 6, 3, 3], 'second');
  const h = b.node('Relu', [b.node('MatMul', [b.input('x', [1, 2]), first], {}, 'up')]);
  return b.output('y', b.node('MatMul', [h, second], {}, 'down')).build();
}

const keptOf = (options: Partial<StructuredPruneOptions>) =>
  planStructuredPruning(neurons(), { sparsity: 0.5, ...options }).groups[0]?.kept;

describe('scores', () => {
  test('by hand: L1 norms of what gives a neuron, what takes it, and the mean of both', () => {
    expect(keptOf({ side: 'output' })).toEqual([2, 3]); // 2, 4, 6, 8
    expect(keptOf({ side: 'input' })).toEqual([1, 2]); // 2, 18, 12, 6
    // Over their means, 5 and 9.5: 0.61, 2.69, 2.46, 2.23.
    expect(keptOf({})).toEqual([1, 2]);
    expect(keptOf({ sparsity: 0.25 })).toEqual([1, 2, 3]);
  });

  test('of a function of the weights', () => {
    expect(keptOf({ importance: (_, weights) => weights.map((w) => -Math.abs(w)) })).toEqual([0, 3]);
    expect(() => keptOf({ importance: (_, weights) => weights.map(() => Number.NaN) })).toThrow(
      'Expected importance of layer "up" to be numbers, got NaN at output 0',
    );
    expect(() => keptOf({ importance: () => new Float32Array(1) })).toThrow(/to be 8 scores, got 1/);
  });
});

describe('targets', () => {
  const graph = (smallNetworks['resnet-18 policy'] as () => Graph)();

  test.each(['parameters', 'multiplyAdds'] as const)(
    '%s: reached, and not by more than a unit',
    (measure) => {
      for (const scope of ['layer', 'global'] as const) {
        const plan = planStructuredPruning(graph, { sparsity: 0.6, measure, scope });
        const share = plan.after[measure] / plan.before[measure];
        expect(share).toBeLessThanOrEqual(0.4);
        expect(share).toBeGreaterThan(0.36);
        expect(parametersOf(applyStructuredPruning(graph, plan))).toBe(plan.after.parameters);
      }
    },
  );

  test('multiply-adds by hand', () => {
    const { before, after } = planStructuredPruning(neurons(), { sparsity: 0.5 });
    expect(before).toEqual({ parameters: 16, multiplyAdds: 16 });
    expect(after).toEqual({ parameters: 8, multiplyAdds: 8 });
  });

  test('global ranks all groups together, exactly', () => {
    const plan = planStructuredPruning(graph, { sparsity: 0.5, scope: 'global' });
    const units = plan.groups.reduce((sum, group) => sum + group.units, 0);
    const kept = plan.groups.reduce((sum, group) => sum + group.kept.length, 0);
    expect(kept).toBe(units - Math.round(units / 2));
    expect(new Set(plan.groups.map((group) => group.kept.length / group.units)).size).toBeGreaterThan(3);
  });

  test('multiples of channels', () => {
    const plan = planStructuredPruning(graph, { sparsity: 0.4, roundTo: 8 });
    for (const { units, kept } of plan.groups) expect(kept.length % 8 === 0 || units < 8).toBe(true);
  });

  test('groups by name or by one of their layers', () => {
    const groups = (options: Partial<StructuredPruneOptions>) =>
      planStructuredPruning(graph, { sparsity: 0.5, ...options }).groups.map(({ name }) => name);
    expect(groups({ include: ['Conv_3'] })).toEqual(['Conv']); // the first stage's residual path
    expect(groups({ kinds: ['neuron'] })).toEqual(['Gemm', 'Gemm_2']);
    expect(groups({ exclude: [/^Conv/, 'Gemm'] })).toEqual(['Gemm_2']);
    expect(() => groups({ include: ['Conv_33'] })).toThrow(/options.include to match a group, got Conv_33/);
    expect(() => groups({ kinds: ['head'] })).toThrow(/got none of kind head/);
  });
});

describe('a plan', () => {
  const plan = planStructuredPruning(neurons(), { sparsity: 0.5 });

  test('prints, and survives JSON', () => {
    expect(formatStructuredPlan(plan)).toMatch(/up#2 +neuron +4 +2 +50\.0 %/);
    expect(formatStructuredPlan(plan)).toContain('parameters    16 -> 8 (-50.0 %)');
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  test.each([
    [null, /Expected structured pruning plan to be .*, got null/],
    [
      { ...plan, groups: [{ name: 'up', units: 2, kept: [0] }] },
      /"up" of the pruning plan to be free, but "x" is fed/,
    ],
    [
      { ...plan, groups: [{ name: 'none', units: 4, kept: [0] }] },
      /to be one of the graph, got none of that name/,
    ],
    [
      { ...plan, groups: [{ name: 'up#2', units: 5, kept: [0] }] },
      /to have 5 units, got 4|to have 4 units, got 5/,
    ],
    [{ ...plan, groups: [{ name: 'up#2', units: 4, kept: [] }] }, /to keep some of 4 units, ascending/],
    [{ ...plan, groups: [{ name: 'up#2', units: 4, kept: [2, 1] }] }, /to keep some of 4 units, ascending/],
    [{ ...plan, groups: [{ name: 'up#2', units: 4, kept: [4] }] }, /to keep some of 4 units, ascending/],
    [{ ...plan, groups: [plan.groups[0], plan.groups[0]] }, /to be there once, got it twice/],
  ])('that does not fit is refused: %#', (wrong, message) => {
    expect(() => applyStructuredPruning(neurons(), wrong as StructuredPlan)).toThrow(message);
  });

  test.each([
    [{ sparsity: 1 }, /options.sparsity to be a number in \[0, 1\), got 1/],
    [{}, /options.sparsity to be given/],
    [{ sparsity: 0.5, roundTo: 0 }, /options.roundTo to be a whole number >= 1, got 0/],
    [
      { sparsity: 0.5, kind: 'head' },
      /Unknown key "kind" in planStructuredPruning options; did you mean "kinds"/,
    ],
  ])('needs options that make sense: %#', (options, message) => {
    expect(() => planStructuredPruning(neurons(), options as StructuredPruneOptions)).toThrow(message);
  });
});
