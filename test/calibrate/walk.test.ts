import { afterEach, describe, expect, test, vi } from 'vitest';
import { frontiersOf, type Stop } from '../../src/calibrate/frontier.js';
import { pruneCalibrated, type Samples } from '../../src/calibrate/index.js';
import { SampleWalk } from '../../src/calibrate/walk.js';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { GraphBuilder } from '../../src/graph/builder.js';
import { findLayers } from '../../src/graph/layers.js';
import { InferenceSession, Tensor } from '../../src/index.js';
import { vit } from '../../src/networks/index.js';
import { seeded } from '../prune/graphs.js';

const random = seeded(3);
const numbers = (length: number) => Float32Array.from({ length }, () => random() * 2 - 1);

/** x -> a -> r = Relu -> b -> s = r + b -> c -> y = s + c, with x and r read once more at the end. */
function residual() {
  const g = new GraphBuilder('residual');
  const x = g.input('x', [4, 6]);
  const product = (value: string, name: string) =>
    g.node('MatMul', [value, g.constant([6, 6], numbers(36), name)]);
  const a = product(x, 'wa');
  const r = g.node('Relu', [a]);
  const b = product(r, 'wb');
  const s = g.node('Add', [r, b]);
  const c = product(s, 'wc');
  const y = g.node('Add', [s, c]);
  return { graph: g.output('y', g.node('Add', [y, x])).build(), x, r, s };
}

const samplesOf = (count: number, dims: readonly number[]): Samples =>
  Array.from({ length: count }, () => ({
    x: new Tensor('float32', numbers(dims.reduce((product, dim) => product * dim, 1)), dims),
  }));

describe('frontiersOf', () => {
  const { graph, x, r, s } = residual();
  const [a = '', b = '', c = ''] = findLayers(graph).map(({ node }) => node);

  test('what later stops need of what no later stop changes', () => {
    const stops: Stop[] = [
      { views: [x], nodes: [a] },
      { views: [r], nodes: [b] },
      { views: [s], nodes: [c] },
    ];
    expect(frontiersOf(graph, stops)).toEqual([[x], [r], [s]]);
  });

  test('a view may depend on what changes later, and is then in no frontier', () => {
    const stops: Stop[] = [
      { views: [s], nodes: [a] },
      { views: [r], nodes: [b] },
    ];
    expect(frontiersOf(graph, stops)).toEqual([[x], [r]]);
  });
});

describe('SampleWalk', () => {
  const { graph, r, s } = residual();
  const [, b = '', c = ''] = findLayers(graph).map(({ node }) => node);
  const stops: Stop[] = [
    { views: [r], nodes: [b] },
    { views: [s, 'x'], nodes: [c] },
  ];

  test.each([0, 200, Number.MAX_SAFE_INTEGER])(
    'values are those of the whole graph, with %d bytes to keep',
    async (keep) => {
      const samples = samplesOf(3, [4, 6]);
      const walk = new SampleWalk(graph, samples, stops, { threads: 1, keep, free: false });
      const whole = {
        ...graph,
        outputs: [r, s].map((name) => ({ name, type: 'float32', dims: undefined })),
      } as typeof graph;
      using session = InferenceSession.fromGraph(whole, { threads: 1 });
      const expected = samples.map((sample) => session.runSync(sample));
      await walk.at(0, [graph], ([values], i) => {
        expect(values?.get(r)?.data).toEqual(expected[i]?.[r]?.data);
      });
      const doubled = new Map(graph.constants);
      const wb = graph.constants.get('wb');
      if (wb === undefined) throw new Error('wb');
      const twice = new Float32Array(new Uint8Array(wb.bytes).buffer).map((value) => 2 * value);
      doubled.set('wb', { ...wb, bytes: new Uint8Array(twice.buffer) });
      const changed = { ...graph, constants: doubled };
      using other = InferenceSession.fromGraph({ ...whole, constants: doubled }, { threads: 1 });
      await walk.at(1, [changed, graph], ([now, dense], i) => {
        const sample = samples[i] as Samples[number];
        expect(now?.get('x')).toBe(sample['x']);
        expect(now?.get(s)?.data).toEqual(other.runSync(sample)[s]?.data);
        expect(dense?.get(s)?.data).toEqual(expected[i]?.[s]?.data);
      });
    },
  );
});

describe('pruneCalibrated', () => {
  const graph = vit({ image: 16, patch: 8, width: 24, heads: 2, depth: 3, classes: 5 });
  const samples: Samples = Array.from({ length: 4 }, () => ({
    image: new Tensor('float32', numbers(3 * 16 * 16), [1, 3, 16, 16]),
  }));
  const run = async (activationBytes: number) => {
    const runs = vi.spyOn(InferenceSession.prototype, 'run');
    const pruned = await pruneCalibrated(graph, samples, { sparsity: 0.5, activationBytes, threads: 1 });
    return {
      bytes: exportOnnx(pruned.graph),
      runs: runs.mock.calls.length,
      layers: pruned.plan.layers.length,
    };
  };
  afterEach(() => vi.restoreAllMocks());

  test('runs each part of a network once, and with nothing kept gives the same bytes', async () => {
    const kept = await run(2 ** 30);
    vi.restoreAllMocks();
    const none = await run(0);
    expect(kept.bytes).toEqual(none.bytes);
    const parts = 2 * samples.length; // of the pruned and of the dense network
    expect(kept.runs).toBeLessThanOrEqual(parts * kept.layers);
    expect(none.runs).toBeGreaterThan((parts * kept.layers * kept.layers) / 4);
  });
});
