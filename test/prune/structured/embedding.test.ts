import { describe, expect, test } from 'vitest';
import type { Graph } from '../../../src/graph/graph.js';
import { floatValue, GraphBuilder } from '../../../src/graph/index.js';
import {
  applyStructuredPruning,
  findGroups,
  planStructuredPruning,
} from '../../../src/prune/structured/index.js';
import { buildGraph, floats, node } from '../../graph/support.js';
import { feedsOf, smallNetworks } from '../../networks/small.js';
import { seeded } from '../graphs.js';
import { expectMasked, parametersOf } from './support.js';

const network = (name: string) => (smallNetworks[name] as () => Graph)();

describe('half of the embedding width equals the masked network', () => {
  test.each(['vit', 'vit packed', 'llama', 'llama tied'])('%s', async (name) => {
    const graph = network(name);
    const plan = planStructuredPruning(graph, { sparsity: 0.5, kinds: ['embedding'] });
    expect(plan.groups.map(({ kind }) => kind)).toEqual(['embedding']);
    const pruned = applyStructuredPruning(graph, plan);
    // A share for each mean is added; all else is as small as it was counted.
    expect(parametersOf(pruned) - plan.after.parameters).toBeLessThan(10);
    expect(plan.after.parameters).toBeLessThan(0.6 * plan.before.parameters);
    await expectMasked(graph, plan, pruned, feedsOf(graph));
  });

  test.each(['vit', 'llama'])('%s with heads and neurons', async (name) => {
    const graph = network(name);
    const kinds = ['embedding', 'head', 'neuron'] as const;
    const plan = planStructuredPruning(graph, { sparsity: 0.5, kinds });
    expect(new Set(plan.groups.map(({ kind }) => kind))).toEqual(new Set(kinds));
    await expectMasked(graph, plan, applyStructuredPruning(graph, plan), feedsOf(graph));
  });
});

test('RMSNormalization: scale and epsilon make up for the width', async () => {
  const random = seeded(7);
  const numbers = (count: number) => Array.from({ length: count }, () => random() * 2 - 1);
  const graph = buildGraph({
    opset: 23,
    inputs: { x: ['float32', 2, 3] },
    constants: {
      a: floats([3, 8], numbers(24)),
      scale: floats([8], numbers(8)),
      b: floats([8, 2], numbers(16)),
    },
    nodes: [
      node('MatMul', ['x', 'a'], ['h']),
      // An epsilon as large as the squares, so that it counts.
      {
        ...node('RMSNormalization', ['h', 'scale'], ['n']),
        attributes: new Map([['epsilon', floatValue(0.3)]]),
      },
      node('MatMul', ['n', 'b'], ['y']),
    ],
    outputs: { y: 'float32' },
  });
  const plan = planStructuredPruning(graph, { sparsity: 0.5, kinds: ['embedding'] });
  const pruned = applyStructuredPruning(graph, plan);
  expect(pruned.opsets.get('')).toBe(23); // older opsets do not have it
  expect(pruned.nodes.map(({ op }) => op)).toEqual(['MatMul', 'RMSNormalization', 'MatMul']);
  await expectMasked(graph, plan, pruned, feedsOf(graph));
});

test('the embedding stays unless its kind is asked for', () => {
  const graph = network('llama');
  const [embedding] = findGroups(graph).filter(({ kind }) => kind === 'embedding');
  expect(embedding).toMatchObject({ units: 64, blocked: { moves: true } });
  expect(embedding?.blocked?.reason).toMatch(/which pruning by kind embedding corrects/);
  const plan = planStructuredPruning(graph, { sparsity: 0.5 });
  expect(plan.groups.some(({ kind }) => kind === 'embedding')).toBe(false);
});

test('a mean that is none of squares keeps what it is taken over', () => {
  const b = new GraphBuilder();
  const x = b.node('MatMul', [b.input('x', [2, 3]), b.constant([3, 4], new Float32Array(12).fill(1))]);
  const axes = b.ints([-1]);
  const centred = b.node('Sub', [x, b.node('ReduceMean', [x, axes], { keepdims: 1 })]);
  const graph = b
    .output('y', b.node('MatMul', [centred, b.constant([4, 2], new Float32Array(8).fill(1))]))
    .build();
  expect(findGroups(graph).find(({ units }) => units === 4)?.blocked?.reason).toMatch(
    /takes statistics over it, which would change/,
  );
  expect(() => planStructuredPruning(graph, { sparsity: 0.5, kinds: ['embedding'] })).toThrow(
    /a group that can be pruned, got none of kind embedding/,
  );
});
