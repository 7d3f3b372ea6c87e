import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  countNetwork,
  type Meter,
  measureTimes,
  type PruneState,
  PruneStateFile,
  predictedTime,
  pruneStructuredToTarget,
  pruneToTarget,
  type SensitivityReport,
  sessionMeter,
  type TargetOptions,
} from '../../../src/calibrate/index.js';
import { compileModel } from '../../../src/esp/index.js';
import type { Graph } from '../../../src/graph/graph.js';
import { findLayers } from '../../../src/graph/layers.js';
import { Tensor } from '../../../src/index.js';
import { analyzeLayer, planPruning } from '../../../src/prune/index.js';
import { feedsOf, smallNetworks } from '../../networks/small.js';
import { chain, randomConstant, seeded } from '../../prune/graphs.js';
import { correlated } from '../support.js';

/** x [8, 32] -> fast [32, 48] -> slow [48, 16] -> small [16, 8]. */
const random = seeded(3);
const graph = {
  ...chain(
    [
      { name: 'fast', op: 'MatMul', weight: 'w1' },
      { name: 'slow', op: 'MatMul', weight: 'w2' },
      { name: 'small', op: 'MatMul', weight: 'w3' },
    ],
    {
      w1: randomConstant([32, 48], random),
      w2: randomConstant([48, 16], random),
      w3: randomConstant([16, 8], random),
    },
  ),
  inputs: [{ name: 'x', type: 'float32' as const, dims: [8, 32] }],
};
const samples = [{ x: new Tensor('float32', correlated(8, 32, 1), [8, 32]) }];

const sparsitiesOf = (content: Graph) =>
  Object.fromEntries(findLayers(content).map((layer) => [layer.name, analyzeLayer(content, layer).sparsity]));

/**
 * A clock of its own: `fast` takes 10 ms and gains from half its zeros on, `slow` takes 5 ms whatever it holds, `small`
 * 1 ms; 2 ms are no layer. The network as a whole takes longer than its steps add up to.
 */
function fakeMeter(penalty: (content: Graph) => number = () => 1): Meter & { measured: number } {
  const steps = (content: Graph) => {
    const { fast = 0, small = 0 } = sparsitiesOf(content);
    return [
      {
        name: 'fast',
        format: fast > 0.5 ? 'sell' : 'dense',
        milliseconds: fast < 0.5 ? 10 : 20 * (1 - fast),
      },
      { name: 'slow', format: 'dense', milliseconds: 5 },
      { name: 'small', format: 'dense', milliseconds: 1 - 0.5 * small },
      { name: 'softmax', milliseconds: 2 },
    ];
  };
  const meter = {
    measured: 0,
    steps,
    amount: (content: Graph, quantity: string) => {
      meter.measured++;
      if (quantity !== 'p99Milliseconds' && quantity !== 'p50Milliseconds') throw new Error(quantity);
      const sum = steps(content).reduce((total, { milliseconds }) => total + milliseconds, 0);
      return (sum * (quantity === 'p99Milliseconds' ? 1.5 : 1.1) + 0.3) * penalty(content);
    },
  };
  return meter;
}

const magnitude = { method: 'magnitude', refit: false, threads: 1 } as const;
const prune = (options: Partial<TargetOptions> & Pick<TargetOptions, 'target'>) =>
  pruneToTarget(graph, [], { ...magnitude, meter: fakeMeter(), ...options });

describe('the table of times', () => {
  const plans = [0, 0.5, 0.75].map((sparsity) => planPruning(graph, { sparsity }));

  test('holds every layer at every sparsity, with the format it has there', () => {
    const table = measureTimes(graph, plans, fakeMeter());
    expect(table.restMilliseconds).toBe(2);
    expect(table.layers[0]).toEqual({
      name: 'fast',
      groups: 1,
      outputs: 48,
      inputs: 32,
      pattern: 'unstructured',
      points: [
        { sparsity: 0, format: 'dense', milliseconds: 10 },
        { sparsity: 0.5, format: 'dense', milliseconds: 10 },
        { sparsity: 0.75, format: 'sell', milliseconds: 5 },
      ],
    });
    expect(predictedTime(table, new Map())).toBe(18);
    const mixed = new Map([
      ['fast', 0.625],
      ['small', 0.5],
    ]);
    expect(predictedTime(table, mixed)).toBe(7.5 + 5 + 0.75 + 2);
  });

  test('a slow moment of the machine does not make a sparser layer slower', () => {
    const table = measureTimes(graph, plans, fakeMeter());
    const [fast, ...others] = table.layers;
    const points = (fast?.points ?? []).map((point, i) => (i === 1 ? { ...point, milliseconds: 80 } : point));
    const disturbed = {
      ...table,
      layers: [{ ...(fast as (typeof table.layers)[number]), points }, ...others],
    };
    for (const sparsity of [0, 0.25, 0.5, 0.6, 0.75])
      expect(predictedTime(disturbed, new Map([['fast', sparsity]]))).toBe(
        predictedTime(table, new Map([['fast', sparsity]])),
      );
  });

  test('of sessions on this machine: the steps are those of the layers', () => {
    const meter = sessionMeter(feedsOf(graph), { threads: 1, seconds: 1 });
    const table = measureTimes(graph, plans, meter);
    for (const { points } of table.layers) {
      expect(points.map(({ sparsity }) => sparsity)).toEqual([0, 0.5, 0.75]);
      expect(points.every(({ milliseconds }) => milliseconds > 0)).toBe(true);
      expect(points[0]?.format).toBe('dense');
    }
  });
});

describe('an interrupted run towards a target', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-target-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs with a state; the step of this number, of measurements and layers, is interrupted. */
  async function run(path: string, interruptedAt = Number.POSITIVE_INFINITY) {
    const file = await PruneStateFile.open(path);
    const own = fakeMeter();
    const counts = { measured: 0, layers: 0 };
    const step = (kind: keyof typeof counts) => {
      if (counts.measured + counts.layers === interruptedAt) throw new Error('interrupted');
      counts[kind]++;
    };
    const meter: Meter = {
      steps: (content) => {
        step('measured');
        return own.steps(content);
      },
      amount: (content, quantity) => {
        step('measured');
        return own.amount(content, quantity);
      },
    };
    const state: PruneState = {
      begin: (key) => file.begin(key),
      get: (weight) => file.get(weight),
      set: (...layer) => {
        step('layers');
        return file.set(...layer);
      },
      measured: (index) => file.measured(index),
      setMeasured: (...measurement) => file.setMeasured(...measurement),
    };
    const options = { target: { p99Milliseconds: 21 }, method: 'sparsegpt', threads: 1 } as const;
    const result = await pruneToTarget(graph, samples, { ...options, meter, state })
      .catch((error: Error) => error)
      .finally(() => file.close());
    return { result, ...counts };
  }

  test.each([2, 9, 12, 14])('at step %d goes on from there, with the same result', async (at) => {
    const whole = await run(join(folder, 'whole'));
    const path = join(folder, String(at));
    const first = await run(path, at);
    expect(first.result).toEqual(new Error('interrupted'));
    const second = await run(path);
    expect(second.result).toEqual(whole.result);
    expect(first.measured + second.measured).toBe(whole.measured);
    expect(first.layers + second.layers).toBe(whole.layers);
    rmSync(join(folder, 'whole'));
  });
});

describe('pruneToTarget, by a clock of its own', () => {
  test('finds the lowest uniform sparsity that meets a p99', async () => {
    const shares: number[] = [];
    const {
      graph: pruned,
      plan,
      target,
    } = await prune({
      target: { p99Milliseconds: 21 },
      onProgress: (share) => shares.push(share),
    });
    // 1.5 (20 (1 - s) + 5 + 1 - s / 2 + 2) + 0.3 = 21 at s = 0.6927.
    const { fast, slow, small } = sparsitiesOf(pruned);
    expect(fast).toBeGreaterThan(0.69);
    expect(fast).toBeLessThan(0.74);
    for (const other of [slow, small]) expect(other).toBeCloseTo(fast as number, 2);
    expect(target).toMatchObject({ quantity: 'p99Milliseconds', limit: 21, dense: 1.5 * 18 + 0.3 });
    expect(target.reached).toBeLessThanOrEqual(21);
    expect(target.reached).toBeGreaterThan(0.95 * 21);
    expect(target.table?.layers).toHaveLength(3);
    expect(plan.layers).toHaveLength(3);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
  });

  test('the same for a p50, and for a global ranking', async () => {
    for (const allocation of ['uniform', 'global', 'erk'] as const) {
      const { target, graph: pruned } = await prune({ allocation, target: { p50Milliseconds: 14 } });
      expect(target.reached).toBeLessThanOrEqual(14);
      expect(target.reached).toBeGreaterThan(0.9 * 14);
      expect(fakeMeter().amount(pruned, 'p50Milliseconds')).toBe(target.reached);
    }
  });

  test('latency: layers that get no faster keep their weights', async () => {
    const { graph: pruned, target } = await prune({ allocation: 'latency', target: { p99Milliseconds: 21 } });
    const found = sparsitiesOf(pruned);
    expect(found['slow']).toBe(0);
    expect(found['fast']).toBeGreaterThan(0.6);
    expect(target.reached).toBeLessThanOrEqual(21);
    const uniform = await prune({ target: { p99Milliseconds: 21 } });
    const removed = ({ plan }: typeof uniform) => plan.layers.reduce((sum, layer) => sum + layer.removed, 0);
    expect(
      removed({
        plan: (await prune({ allocation: 'latency', target: { p99Milliseconds: 21 } })).plan,
      } as never),
    ).toBeLessThan(removed(uniform));
  });

  test('latency by sensitivity: a layer that minds much is left alone where others can save as much', async () => {
    const points = (error: number) =>
      [0.3, 0.5, 0.7, 0.95].map((sparsity) => ({ sparsity, error: error * sparsity }));
    const sensitivity: SensitivityReport = {
      measure: 'network',
      method: 'magnitude',
      samples: 1,
      dense: 0,
      layers: ['fast', 'slow', 'small'].map((name) => {
        return {
          name,
          op: 'MatMul',
          pattern: 'unstructured',
          units: 1,
          points: points(name === 'small' ? 1e-6 : 1),
        };
      }),
    };
    // 0.4 ms less: small alone can save them.
    const found = await prune({
      allocation: 'latency',
      sensitivity,
      target: { p50Milliseconds: 1.1 * 17.6 + 0.3 },
    });
    expect(sparsitiesOf(found.graph)).toMatchObject({ fast: 0, slow: 0 });
    expect(sparsitiesOf(found.graph)['small']).toBeGreaterThan(0.75);
  });

  test('nothing is removed where the dense network meets the target', async () => {
    const { plan, target } = await prune({ target: { p99Milliseconds: 100 } });
    expect(plan.layers.map(({ removed }) => removed)).toEqual([0, 0, 0]);
    expect(target.reached).toBe(target.dense);
  });

  test('a target that cannot be met is an error with the fastest that was', async () => {
    const failed = await prune({ target: { p99Milliseconds: 5 } }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'ERR_ESPALIER_TARGET' });
    const [, reached] = /the least that pruning reached is a p99 of ([\d.]+) ms/.exec(String(failed)) ?? [];
    expect(Number(reached)).toBeCloseTo(1.5 * (20 * 0.05 + 5 + 1 - 0.475 + 2) + 0.3, 1);
  });

  test("layers' own sparsities stay, in every attempt", async () => {
    const { graph: pruned } = await prune({
      target: { p99Milliseconds: 21 },
      layers: { slow: { sparsity: 0.25 }, small: { pattern: '4x1' } },
    });
    expect(sparsitiesOf(pruned)['slow']).toBe(0.25);
    expect(sparsitiesOf(pruned)['fast']).toBeGreaterThan(0.69);
  });

  test('data prune with the sparsities that were found, and what they make is measured too', async () => {
    const meter = fakeMeter();
    const options = { target: { p99Milliseconds: 21 }, method: 'sparsegpt', threads: 1, meter } as const;
    const byData = await pruneToTarget(graph, samples, options);
    const bySize = await prune({ target: { p99Milliseconds: 21 } });
    const counts = ({ plan }: typeof byData) => plan.layers.map(({ removed }) => removed);
    expect(counts(byData)).toEqual(counts(bySize));
    expect(byData.plan.options.importance).toBe('sparsegpt');
    // A network that a refit made slower is pruned further.
    const biased = (content: Graph) => (content.nodes.some(({ op }) => op === 'Add') ? 1.1 : 1);
    const slower = await pruneToTarget(graph, samples, { ...options, meter: fakeMeter(biased) });
    expect(slower.target.reached).toBeLessThanOrEqual(21);
    expect(counts(slower)[0]).toBeGreaterThan(counts(byData)[0] as number);
    const hopeless = (content: Graph) => (content.nodes.some(({ op }) => op === 'Add') ? 9 : 1);
    await expect(
      pruneToTarget(graph, samples, { ...options, meter: fakeMeter(hopeless) }),
    ).rejects.toMatchObject({
      code: 'ERR_ESPALIER_TARGET',
    });
  });
});

describe('targets that are counted', () => {
  test('parameters and flops leave zeros out', () => {
    const { parameters, flops } = countNetwork(graph, {});
    expect(parameters).toBe(32 * 48 + 48 * 16 + 16 * 8);
    expect(flops).toBe(2 * 8 * parameters);
    const half = {
      ...graph,
      ...{
        constants: new Map(graph.constants).set(
          'w1',
          randomConstant([32, 48], () => 0.5),
        ),
      },
    };
    expect(countNetwork(half, {}).parameters).toBe(parameters); // 0.5 * 2 - 1 is 0, for which the helper takes 0.5
    const net = (smallNetworks['resnet-50'] as () => Graph)();
    const dense = countNetwork(net, {});
    const plan = pruneStructuredToTarget(net, { target: { flops: dense.flops } });
    return plan.then(({ plan: { before } }) => expect(dense.flops).toBe(2 * before.multiplyAdds));
  });

  test.each(['flops', 'parameters', 'bytes'] as const)('%s', async (quantity) => {
    const amount = (content: Graph) =>
      quantity === 'bytes'
        ? compileModel(content, { shapes: { x: [8, 32] } }).byteLength
        : countNetwork(content, {})[quantity];
    const limit = 0.6 * amount(graph);
    const { graph: pruned, target } = await pruneToTarget(graph, [], {
      ...magnitude,
      target: { [quantity]: limit },
    });
    expect(target).toMatchObject({ quantity, limit, dense: amount(graph), reached: amount(pruned) });
    expect(target.reached).toBeLessThanOrEqual(limit);
    expect(target.reached).toBeGreaterThan(0.9 * limit);
  });

  test.each([236, 257, 278, 299, 320, 341, 362, 383, 404])(
    '%s parameters, which the biases of the fit are among',
    async (limit) => {
      const { target } = await pruneToTarget(graph, samples, { target: { parameters: limit }, threads: 1 });
      expect(target.reached).toBeLessThanOrEqual(limit);
    },
  );

  test('channels go until the flops are met', async () => {
    const net = (smallNetworks['resnet-50'] as () => Graph)();
    const dense = countNetwork(net, {}).flops;
    const {
      graph: pruned,
      target,
      plan,
    } = await pruneStructuredToTarget(net, { target: { flops: 0.4 * dense } });
    expect(countNetwork(pruned, {}).flops).toBe(target.reached);
    expect(target.reached).toBeLessThanOrEqual(0.4 * dense);
    expect(target.reached).toBeGreaterThan(0.3 * dense);
    expect(plan.groups.some(({ kept, units }) => kept.length < units)).toBe(true);
    await expect(pruneStructuredToTarget(net, { target: { flops: 10 } })).rejects.toThrow(
      /Expected 10 flops at most; the least that pruning reached is \d+ flops/,
    );
  });
});

describe('refusals', () => {
  test.each<[object, string]>([
    [
      { target: {} },
      'target to have exactly one of p50Milliseconds, p99Milliseconds, flops, parameters, bytes, got none',
    ],
    [{ target: { flops: 1, bytes: 1 } }, 'got flops, bytes'],
    [{ target: { p99Milliseconds: 0 } }, 'target.p99Milliseconds to be a number above 0, got 0'],
    [{ target: { p99: 3 } }, 'Unknown key "p99"'],
    [{ target: { flops: 1 }, allocation: 'latency' }, 'latency with a target of a latency only, got flops'],
    [{ target: { flops: 1 }, pattern: '2:4' }, 'pattern to leave the sparsity open, got 2:4'],
  ])('%j', async (options, message) => {
    await expect(prune(options as never)).rejects.toThrow(message);
  });
});
