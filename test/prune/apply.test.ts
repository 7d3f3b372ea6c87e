import { describe, expect, test } from 'vitest';
import type { Graph } from '../../src/graph/graph.js';
import { findLayers, type Layer } from '../../src/graph/layers.js';
import { applyPruning } from '../../src/prune/apply.js';
import { type PruningPlan, planPruning } from '../../src/prune/plan.js';
import { analyzeLayer } from '../../src/sparse/analyze.js';
import { blockOf, type Pattern } from '../../src/sparse/patterns.js';
import { chain, everyKind, randomConstant, seeded, values } from './graphs.js';

function layerNamed(graph: Graph, name: string): Layer {
  const layer = findLayers(graph).find((candidate) => candidate.name === name);
  if (layer === undefined) throw new Error(`no layer ${name}`);
  return layer;
}

const patterns: Pattern[] = ['unstructured', '16x1', '8x1', '4x1', '4x4', '1x4', '3x5'];

/** Every block must be wholly zero or untouched: checked by the operator's own definition of its weight's dims. */
function blocksHold(before: Graph, after: Graph, layer: Layer, pattern: Pattern): boolean {
  const [old, now] = [values(before, layer.weight), values(after, layer.weight)];
  const { groups, outputs, inputs } = layer;
  const transposed = layer.op === 'MatMul' || (layer.op === 'Gemm' && layer.name !== 'gemmT');
  const index = (row: number, input: number) => (transposed ? input * outputs + row : row * inputs + input);
  const { rows, columns } = blockOf(pattern);
  const range = (first: number, size: number, end: number) =>
    Array.from({ length: Math.min(size, end - first) }, (_, i) => first + i);
  for (let group = 0; group < groups; group++) {
    for (let first = 0; first < outputs; first += rows) {
      for (let input = 0; input < inputs; input += columns) {
        const block = range(first, rows, outputs).flatMap((row) =>
          range(input, columns, inputs).map((column) => index(group * outputs + row, column)),
        );
        const zero = block.every((at) => now[at] === 0);
        const kept = block.every((at) => now[at] === old[at]);
        if (!zero && !kept) return false;
      }
    }
  }
  return true;
}

describe('applyPruning', () => {
  test.each(patterns)(
    '%s: exactly the planned zeros, in whole blocks, and the original untouched',
    (pattern) => {
      for (const scope of ['layer', 'global'] as const) {
        for (const shift of [0, 3]) {
          const graph = everyKind(4, shift);
          const copy = everyKind(4, shift);
          const plan = planPruning(graph, { sparsity: 0.6, pattern, scope });
          const pruned = applyPruning(graph, plan);
          for (const entry of plan.layers) {
            const analysis = analyzeLayer(pruned, layerNamed(pruned, entry.name));
            expect(analysis.zeros).toBe(entry.removed);
            expect(analysis.sparsity).toBe(entry.sparsity);
            expect(blocksHold(graph, pruned, layerNamed(graph, entry.name), pattern)).toBe(true);
            if (pattern === '16x1' || pattern === '8x1' || pattern === '4x1') {
              expect(analysis.blockSparsity[pattern]).toBeCloseTo(entry.removedUnits / entry.units, 12);
            }
          }
          expect(graph).toEqual(copy);
          expect(pruned.nodes).toBe(graph.nodes);
          expect(pruned.constants.get('depthwise.w')).toBe(graph.constants.get('depthwise.w'));
        }
      }
    },
  );

  test('what is kept is kept bit for bit, denormals and negative zeros included', () => {
    const graph = everyKind(1);
    const weights = values(graph, 'gemm.w');
    weights.set([-0, 1e-42, Number.POSITIVE_INFINITY]);
    const constants = new Map(graph.constants);
    constants.set('gemm.w', { type: 'float32', dims: [13, 37], bytes: new Uint8Array(weights.buffer) });
    const changed = { ...graph, constants };
    const pruned = applyPruning(changed, planPruning(changed, { sparsity: 0, include: ['gemm'] }));
    expect(pruned.constants.get('gemm.w')).toEqual(constants.get('gemm.w'));
  });

  test('pruning a pruned graph again to the same sparsity changes nothing', () => {
    const graph = everyKind(6);
    const options = { sparsity: 0.7, pattern: '4x1' } as const;
    const once = applyPruning(graph, planPruning(graph, options));
    expect(applyPruning(once, planPruning(once, options))).toEqual(once);
  });

  test('a plan survives JSON when its masks do', () => {
    const graph = everyKind(6);
    const plan = planPruning(graph, { sparsity: 0.7 });
    const parsed = JSON.parse(JSON.stringify(plan)) as PruningPlan;
    const layers = parsed.layers.map((layer, i) => ({
      ...layer,
      mask: plan.layers[i]?.mask ?? new Uint8Array(),
    }));
    expect(applyPruning(graph, { ...parsed, layers })).toEqual(applyPruning(graph, plan));
  });
});

describe('shared weights', () => {
  const shared = (): Graph =>
    chain(
      [
        { name: 'a', op: 'MatMul', weight: 'w' },
        { name: 'b', op: 'MatMul', weight: 'w' },
      ],
      { w: randomConstant([8, 8], seeded(1)), w_pruned: randomConstant([1], seeded(2)) },
    );

  test('pruned once for all layers that use it', () => {
    const pruned = applyPruning(shared(), planPruning(shared(), { sparsity: 0.5 }));
    expect(values(pruned, 'w').filter((weight) => weight === 0)).toHaveLength(32);
    expect(pruned.constants.size).toBe(2);
  });

  test.each([
    ['an excluded layer', shared(), { exclude: ['b'] }],
    ['another kind of node', withUser(shared(), 'node'), { include: ['a'] }],
    ['a graph output', withUser(shared(), 'output'), {}],
    ['a graph inside an attribute', withUser(shared(), 'inner'), {}],
  ])('%s keeps the weight as it was', (_, graph, options) => {
    const plan = planPruning(graph, { sparsity: 0.5, ...options });
    const pruned = applyPruning(graph, plan);
    expect(values(pruned, 'w')).toEqual(values(graph, 'w'));
    const name = 'w_pruned_2'; // w_pruned is taken
    expect(values(pruned, name).filter((weight) => weight === 0)).toHaveLength(32);
    for (const node of pruned.nodes) {
      const original = graph.nodes.find((candidate) => candidate.name === node.name);
      if (plan.layers[0]?.nodes.includes(node.name)) expect(node.inputs[1]).toBe(name);
      else expect(node).toBe(original);
    }
  });
});

describe('a malformed plan', () => {
  const plan = planPruning(everyKind(1), { sparsity: 0.5 });
  const [first, second] = plan.layers;
  const { nodes: _, ...withoutNodes } = first ?? { nodes: [] };

  test.each([
    [null, /Expected pruning plan to be an object, got null/],
    [{}, /Expected pruning plan\.layers to be given, got undefined/],
    [{ layers: null }, /pruning plan\.layers to be an array of planned layers, got null/],
    [{ layers: [second, null] }, /pruning plan\.layers\.1 to be an object, got null/],
    [{ layers: [withoutNodes] }, /pruning plan\.layers\.0\.nodes to be given, got undefined/],
    [{ layers: [{ ...withoutNodes, nodes: ['conv', 'conv'] }] }, /layers\.0\.nodes to be .*each once/],
    [{ layers: [{ ...second, pattern: '4:2' }] }, /layers\.0\.pattern to be unstructured, RxC .*got "4:2"/],
    [JSON.parse(JSON.stringify(plan)), /layers\.0\.mask to be a Uint8Array .*have to stay Uint8Array/],
  ])('%#', (wrong, message) => {
    const apply = () => applyPruning(everyKind(1), wrong as PruningPlan);
    expect(apply).toThrow(message);
    expect(apply).toThrow(expect.objectContaining({ code: 'ERR_ESPALIER_ARGUMENT' }));
  });
});

describe('a plan that does not fit', () => {
  const plan = planPruning(everyKind(1), { sparsity: 0.5 });
  const [first] = plan.layers;
  if (first === undefined) throw new Error('no layer');
  const changed = (change: Partial<typeof first>): PruningPlan => ({
    ...plan,
    layers: [{ ...first, ...change }],
  });

  test.each([
    [
      'another layer',
      changed({ nodes: ['nope'] }),
      /"conv" does not fit the graph: .* no such layer as "nope"/,
    ],
    ['another shape', changed({ outputs: 22 }), /a Conv of 1 x \[22, 45\].*got a Conv of 1 x \[21, 45\]/],
    ['a short mask', changed({ mask: new Uint8Array(3) }), /expected a mask of 119 bytes, got 3 bytes/],
    [
      'no mask',
      changed({ mask: {} as Uint8Array }),
      /plan\.layers\.0\.mask to be a Uint8Array \(JSON does not keep masks/,
    ],
    ['no node', changed({ nodes: [] }), /expected at least one node, got none/],
    [
      'the same weight twice',
      { ...plan, layers: [first, first] },
      /weight "conv.w" once in the plan, got it twice/,
    ],
  ])('%s', (_, wrong, message) => {
    expect(() => applyPruning(everyKind(1), wrong)).toThrow(message);
  });
});

function withUser(graph: Graph, kind: 'node' | 'output' | 'inner'): Graph {
  const value = { name: 'w', type: 'float32', dims: [8, 8] } as const;
  if (kind === 'output') return { ...graph, outputs: [...graph.outputs, value] };
  const user = { name: 'user', domain: '', outputs: ['z'], attributes: new Map() };
  if (kind === 'node') return { ...graph, nodes: [...graph.nodes, { ...user, op: 'Relu', inputs: ['w'] }] };
  const inner = { ...graph, inputs: [], outputs: [value], nodes: [], constants: new Map() };
  const attributes = new Map([['body', { kind: 'graph', value: inner } as const]]);
  return { ...graph, nodes: [...graph.nodes, { ...user, op: 'Loop', inputs: [], attributes }] };
}
