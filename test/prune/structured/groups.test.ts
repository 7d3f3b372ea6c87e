import { describe, expect, test } from 'vitest';
import type { Graph } from '../../../src/graph/graph.js';
import { GraphBuilder } from '../../../src/graph/index.js';
import { LayerBuilder } from '../../../src/networks/index.js';
import {
  applyStructuredPruning,
  findGroups,
  formatGroups,
  planStructuredPruning,
  type StructuredGroup,
} from '../../../src/prune/structured/index.js';
import { feedsOf, smallNetworks } from '../../networks/small.js';
import { expectMasked } from './support.js';

/** Name, kind, units and members, as `constant.axis` with how many indices go with a unit where that is not one. */
function summary({ name, kind, units, members }: StructuredGroup): string {
  const places = members.map(
    ({ constant, axis, perUnit }) => `${constant}.${axis}${perUnit > 1 ? `x${perUnit}` : ''}`,
  );
  return `${name} ${kind} ${units}: ${places.join(' ')}`;
}

const freeOf = (graph: Graph) => findGroups(graph).filter(({ blocked }) => blocked === undefined);

/** Halves every group of the graph and compares with the masked one. */
async function halved(graph: Graph): Promise<Graph> {
  const plan = planStructuredPruning(graph, { sparsity: 0.5 });
  const pruned = applyStructuredPruning(graph, plan);
  await expectMasked(graph, plan, pruned, feedsOf(graph));
  return pruned;
}

/** Image -> `middle` -> scores, with convolutions of 8 channels before and after. */
function around(middle: (b: LayerBuilder, x: string) => string): Graph {
  const b = new LayerBuilder('around', 5);
  const x = b.conv(b.input('image', [1, 3, 8, 8]), 8);
  return b.output('y', b.conv(middle(b, x), 4)).build();
}

describe('findGroups', () => {
  test('a chain of layers, by hand', () => {
    const b = new GraphBuilder();
    const x = b.input('x', [2, 3]);
    const h = b.node('Relu', [
      b.node('MatMul', [x, b.constant([3, 4], new Float32Array(12), 'w1')], {}, 'first'),
    ]);
    const graph = b
      .output('y', b.node('MatMul', [h, b.constant([4, 5], new Float32Array(20), 'w2')]))
      .build();
    const groups = findGroups(graph);
    expect(groups.map(summary)).toEqual([
      'first neuron 3: w1.0',
      'first#2 neuron 4: w1.1 w2.0',
      'MatMul neuron 5: w2.1',
    ]);
    expect(groups.map(({ blocked }) => blocked?.reason)).toEqual([
      '"x" is fed to or returned by the model',
      undefined,
      '"y" is fed to or returned by the model',
    ]);
    expect(formatGroups(groups)).toMatch(/first#2 +neuron +4 +first +MatMul +yes\n/);
  });

  test('heads of grouped-query attention go with their keys and values', () => {
    const heads = freeOf((smallNetworks['llama'] as () => Graph)()).filter(({ kind }) => kind === 'head');
    // 8 heads of 8 in pairs over 4 heads of keys and of values; 2 layers.
    expect(heads.map(({ units, members }) => [units, members.map(({ perUnit }) => perUnit)])).toEqual([
      [4, [16, 8, 8, 16]],
      [4, [16, 8, 8, 16]],
    ]);
  });

  test('heads of a packed product: a head of each of queries, keys and values', () => {
    const [group] = freeOf((smallNetworks['vit packed'] as () => Graph)());
    expect(group).toMatchObject({ kind: 'head', units: 4 });
    const { indices } = group?.axes.find(({ perUnit }) => perUnit === 36) ?? {};
    const head = (start: number) => Array.from({ length: 12 }, (_, i) => start + i);
    expect([...(indices ?? []).slice(36, 72)]).toEqual([...head(12), ...head(60), ...head(108)]);
  });

  test('says which operator blocks', () => {
    const groups = findGroups((smallNetworks['vit'] as () => Graph)());
    const reasons = groups.flatMap(({ blocked }) => (blocked === undefined ? [] : [blocked.reason]));
    expect(reasons).toContain(
      'LayerNormalization "LayerNormalization" takes statistics over it, which pruning by kind embedding corrects',
    );
    const graph = around((b, x) => b.node('Softmax', [x], { axis: 1 }));
    expect(() => planStructuredPruning(graph, { sparsity: 0.5 })).toThrow(
      /Expected planStructuredPruning a group that can be pruned, got only .*Softmax "Softmax" takes statistics/,
    );
  });
});

describe('operators that move channels', () => {
  const cases: Readonly<Record<string, (b: LayerBuilder, x: string) => string>> = {
    'grouped convolution': (b, x) => b.conv(x, 12, { groups: 4 }),
    'depthwise convolution with two outputs each': (b, x) => b.conv(x, 16, { groups: 8 }),
    'transposed convolution': (b, x) => b.convTranspose(x, 6),
    'pixel shuffle': (b, x) => b.node('DepthToSpace', [b.conv(x, 16)], { blocksize: 2, mode: 'CRD' }),
    'depth to space': (b, x) => b.node('DepthToSpace', [b.conv(x, 16)], { blocksize: 2 }),
    'space to depth': (b, x) => b.node('SpaceToDepth', [x], { blocksize: 2 }),
    'padded channels': (b, x) => b.add(b.node('Pad', [x, b.ints([0, 1, 0, 0, 0, 3, 0, 0])]), b.conv(x, 12)),
    'slices with a step': (b, x) => {
      const part = (start: number) =>
        b.node('Slice', [x, b.ints([start]), b.ints([8]), b.ints([1]), b.ints([2])]);
      return b.node('Mul', [part(0), part(1)]);
    },
    'slices of two axes': (b, x) => b.node('Slice', [x, b.ints([2, 1]), b.ints([6, 7]), b.ints([1, 3])]),
    'channels backwards': (b, x) =>
      b.node('Slice', [x, b.ints([-1]), b.ints([-1000]), b.ints([1]), b.ints([-1])]),
    'channels by number': (b, x) => b.node('Gather', [x, b.ints([7, 1, 1, 2, 0, -2])], { axis: 1 }),
    tiles: (b, x) => b.node('Tile', [x, b.ints([1, 2, 1, 1])]),
    'an instance of group normalisation': (b, x) => b.groupNorm(x, 4),
    'scale by channel': (b, x) =>
      b.node('Mul', [b.random([8, 1, 1], 1), b.add(x, b.random([1, 8, 1, 1], 1))]),
    'flattened and back': (b, x) => b.reshape(b.reshape(x, [1, -1]), [1, 8, 8, 8]),
    'a copied dim': (b, x) => b.reshape(b.node('Relu', [b.reshape(x, [0, 0, 64])]), [0, 0, 8, 8]),
    'two halves that change places': (b, x) => {
      const [left = '', right = ''] = b.nodes('Split', [x], 2, { axis: 1, num_outputs: 2 });
      return b.node('Concat', [right, left], { axis: 1 });
    },
    'zeros beside channels': (b, x) =>
      b.add(
        b.node('Concat', [x, b.node('ConstantOfShape', [b.ints([1, 4, 8, 8])])], { axis: 1 }),
        b.conv(x, 12),
      ),
  };

  test.each(Object.entries(cases))('%s', async (_, middle) => {
    const graph = around(middle);
    expect(freeOf(graph).length).toBeGreaterThan(0);
    await halved(graph);
  });

  test('a weight that two layers share is one weight still', async () => {
    const b = new LayerBuilder('shared', 1);
    const w = b.weights([6, 6], 6);
    const x = b.linear(b.input('x', [1, 4]), 6);
    const y = b.node('MatMul', [b.node('Relu', [b.node('MatMul', [x, w])]), w]);
    const graph = b.output('y', b.linear(y, 3)).build();
    expect(freeOf(graph).map(({ units }) => units)).toEqual([6]);
    expect((await halved(graph)).constants.get(w)?.dims).toEqual([3, 3]);
  });

  test('one output channel is never lost, and one group of norms neither', () => {
    const graph = around((b, x) => b.groupNorm(x, 2));
    const plan = planStructuredPruning(graph, { sparsity: 0.99 });
    expect(plan.groups.map(({ kept }) => kept.length)).toEqual([1]);
  });
});
