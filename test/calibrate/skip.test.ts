import { describe, expect, test } from 'vitest';
import { pruneCalibrated, type Samples } from '../../src/calibrate/index.js';
import { findSkip, readCorrections } from '../../src/calibrate/skip.js';
import { GraphBuilder } from '../../src/graph/builder.js';
import { findLayers, type Layer } from '../../src/graph/layers.js';
import { Tensor } from '../../src/index.js';
import { seeded } from '../prune/graphs.js';
import { correlated, outputsOf, relativeError } from './support.js';

const random = seeded(4);
const numbers = (length: number) => Float32Array.from({ length }, () => random() * 2 - 1);

/** What `build` makes of a layer's output, and the skip that is found for the layer. */
function skipBehind(build: (g: GraphBuilder, y: string, x: string) => string) {
  const g = new GraphBuilder('skip');
  const x = g.input('x', [5, 4]);
  const y = g.node('MatMul', [x, g.constant([4, 4], numbers(16), 'w')]);
  const graph = g.output('out', build(g, y, x)).build();
  return findSkip(graph, findLayers(graph)[0] as Layer);
}

describe('findSkip', () => {
  test('behind a bias and a scale of each output', () => {
    const scale = [1, 2, 0, -4];
    const skip = skipBehind((g, y, x) => {
      const biased = g.node('Add', [g.constant([4], numbers(4), 'b'), y]);
      return g.node('Add', [x, g.node('Mul', [biased, g.constant([4], Float32Array.from(scale), 's')])]);
    });
    expect(skip?.value).toBe('x');
    expect([...(skip?.scale ?? [])]).toEqual(scale);
  });

  test('behind a batch normalisation', () => {
    const g = new GraphBuilder('bn');
    const x = g.input('x', [1, 2, 3, 3]);
    const y = g.node('Conv', [x, g.constant([2, 2, 1, 1], numbers(4), 'w')]);
    const parameters = [
      [3, 4],
      [0, 1],
      [5, 6],
      [3, 15],
    ].map((values, i) => g.constant([2], Float32Array.from(values), `bn${i}`));
    const normal = g.node('BatchNormalization', [y, ...parameters], { epsilon: 1 });
    const graph = g.output('out', g.node('Add', [normal, x])).build();
    const skip = findSkip(graph, findLayers(graph)[0] as Layer);
    expect(skip?.value).toBe('x');
    expect([...(skip?.scale ?? [])]).toEqual([1.5, 1]);
  });

  test.each([
    ['an activation', (g: GraphBuilder, y: string, x: string) => g.node('Add', [g.node('Relu', [y]), x])],
    ['another reader', (g: GraphBuilder, y: string, x: string) => g.node('Add', [g.node('Add', [y, x]), y])],
    ['nothing', (_g: GraphBuilder, y: string) => y],
    ['the sum with itself', (g: GraphBuilder, y: string) => g.node('Add', [y, y])],
  ])('none behind %s', (_name, build) => {
    expect(skipBehind(build)).toBeUndefined();
  });
});

test('corrections are what the sum lacks, over the scale', () => {
  const layer = { op: 'Conv', groups: 2, outputs: 1 } as Layer;
  const [now, dense] = [
    [1, 2, 3, 4],
    [2, 2, 7, 6],
  ].map((data) => new Tensor('float32', data, [1, 2, 1, 2])) as [Tensor, Tensor];
  const out = new Float32Array(6).fill(9);
  const skip = { value: 'x', scale: Float64Array.of(1, 2) };
  const place = { out, first: 1, stride: 3 };
  readCorrections(skip, layer, 1, { now, dense, count: 2 }, Uint32Array.of(1, 0), place);
  expect([...out]).toEqual([9, 1, 9, 9, 2, 9]);
});

test('layers make up for what the stream that they are added to has lost', async () => {
  const g = new GraphBuilder('stream');
  const width = 32;
  const weights = (name: string, scale: number) =>
    g.constant(
      [width, width],
      numbers(width * width).map((value) => value * scale),
      name,
    );
  const input = g.input('x', [60, width]);
  let x = input;
  const joined = { name: '', last: '' };
  for (let i = 0; i < 3; i++) {
    const hidden = g.node('Tanh', [g.node('MatMul', [x, weights(`a${i}`, 0.3)])]);
    joined.last = hidden;
    x = g.node('Add', [x, g.node('MatMul', [hidden, weights(`b${i}`, 0.3)])]);
  }
  const graph = g.output('y', x).build();
  const samples: Samples = [1, 2, 3, 4, 5, 6].map((seed) => ({
    x: new Tensor(
      'float32',
      correlated(60, width, seed).map((value) => value * 0.2),
      [60, width],
    ),
  }));
  const pruned = await pruneCalibrated(graph, samples, { sparsity: 0.6, threads: 1 });
  // The same, where the layers that end a branch are hidden from the sums by an operator that is neutral.
  const hidden = {
    ...graph,
    nodes: graph.nodes.flatMap((node) => {
      if (node.op !== 'Add') return [node];
      const [skip = '', branch = ''] = node.inputs;
      const neutral = {
        ...node,
        name: `${node.name}/abs`,
        op: 'Neg',
        inputs: [branch],
        outputs: [`${branch}/neg`],
      };
      return [neutral, { ...node, op: 'Sub', inputs: [skip, `${branch}/neg`] }];
    }),
  };
  const plain = await pruneCalibrated(hidden, samples, { sparsity: 0.6, threads: 1 });
  const expected = outputsOf(graph, samples);
  const error = relativeError(outputsOf(pruned.graph, samples), expected);
  expect(error).toBeLessThan(0.95 * relativeError(outputsOf(plain.graph, samples), expected));
});
