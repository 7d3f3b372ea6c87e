import { describe, expect, test } from 'vitest';
import { blockInfluence } from '../../../src/evaluate/block_influence.js';
import { exportOnnx } from '../../../src/formats/onnx/index.js';
import type { Graph } from '../../../src/graph/graph.js';
import { GraphBuilder } from '../../../src/graph/index.js';
import { vit } from '../../../src/networks/index.js';
import { applyBlockPruning, findBlocks, planBlockPruning } from '../../../src/prune/structured/index.js';
import { Tensor } from '../../../src/tensor.js';
import { feedsOf, smallNetworks } from '../../networks/small.js';
import { compareAll, runEspalier, runOnnxruntime } from '../../operators/support.js';

const transformer = (depth: number) => vit({ image: 32, patch: 8, width: 24, heads: 2, depth, classes: 5 });

/** x + x W: W of 1 keeps the direction, W turns it by a right angle for 1, -1. */
function residual(weight: readonly number[]): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', [1, 2]);
  const product = b.node('MatMul', [x, b.constant([2, 2], weight)]);
  return b.output('y', b.node('Relu', [b.node('Add', [product, x], {}, 'sum')])).build();
}

describe('findBlocks', () => {
  test('attention and perceptron of every layer', () => {
    const blocks = findBlocks(transformer(2));
    const [d, hidden] = [24, 96];
    // Products, biases, the norm before; and for attention one scale, three sizes, axes and shapes of the reshapes.
    expect(blocks.map(({ parameters }) => parameters)[1]).toBe(2 * d * hidden + hidden + d + 2 * d);
    expect(blocks).toHaveLength(4);
  });

  test('of a ResNet only those whose shortcut is the input', () => {
    const graph = (smallNetworks['resnet-50'] as () => Graph)();
    expect(findBlocks(graph)).toHaveLength(2); // the second of each stage of two
    expect(findBlocks((smallNetworks['u-net'] as () => Graph)())).toEqual([]);
  });
});

describe('planBlockPruning', () => {
  test('leaves out the blocks of least score, and the rest runs as if they gave zero', async () => {
    const graph = transformer(2);
    const scores = Object.fromEntries(findBlocks(graph).map(({ name }, i) => [name, [3, 1, 2, 4][i] ?? 0]));
    const plan = planBlockPruning(graph, { sparsity: 0.5, scores });
    expect(plan.blocks.map(({ removed }) => removed)).toEqual([false, true, true, false]);
    const pruned = applyBlockPruning(graph, plan);
    expect(plan.parameters.after).toBeLessThan(plan.parameters.before);
    const gone = new Set(plan.blocks.filter(({ removed }) => removed).map(({ name }) => name));
    // The same by zeros: the sum of the input and nothing.
    const b = new GraphBuilder();
    const zero = b.info(b.constant([1], [0])).dims;
    const constants = new Map([
      ...graph.constants,
      ['zero', { type: 'float32' as const, dims: zero, bytes: new Uint8Array(4) }],
    ]);
    const nodes = graph.nodes.map((node) => {
      const input = plan.blocks.find(({ name }) => name === node.name)?.input;
      return gone.has(node.name) && input !== undefined ? { ...node, inputs: [input, 'zero'] } : node;
    });
    const feeds = feedsOf(graph);
    const expected = await runOnnxruntime(exportOnnx({ ...graph, nodes, constants }), feeds);
    for (const run of [runOnnxruntime, runEspalier])
      expect(compareAll(await run(exportOnnx(pruned), feeds), expected, { tolerance: 1e-4 })).toEqual([]);
    expect(planBlockPruning(graph, { sparsity: 0.5, scores })).toEqual(plan);
  });

  test('needs a score for every block, and blocks', () => {
    expect(() => planBlockPruning(residual([1, 0, 0, 1]), { sparsity: 0.5, scores: {} })).toThrow(
      'Expected options.scores to have a number for each of "sum", got undefined for "sum"',
    );
    const graph = (smallNetworks['mlp policy'] as () => Graph)();
    expect(() => planBlockPruning(graph, { sparsity: 0.5, scores: {} })).toThrow(
      /with residual blocks, got none/,
    );
  });
});

test('block influence is 1 - the cosine of what comes in and what goes out', async () => {
  const feeds = { x: new Tensor('float32', Float32Array.of(3, 4), [1, 2]) };
  expect((await blockInfluence(residual([1, 0, 0, 1]), [feeds]))['sum']).toBeCloseTo(0, 6);
  // x W = (4, -3), at a right angle and as long: the sum is turned by 45 degrees.
  expect((await blockInfluence(residual([0, -1, 1, 0]), [feeds, feeds]))['sum']).toBeCloseTo(
    1 - Math.SQRT1_2,
    6,
  );
});
