import { expect, test } from 'vitest';
import { pruneCalibrated, scheduledStages } from '../../src/calibrate/index.js';
import type { Graph } from '../../src/graph/graph.js';
import { Tensor } from '../../src/index.js';
import { chain, randomConstant, seeded, values } from '../prune/graphs.js';
import { correlated } from './support.js';

const graph = chain([{ name: 'a', op: 'MatMul', weight: 'w' }], { w: randomConstant([24, 16], seeded(2)) });
const samples = [{ x: new Tensor('float32', correlated(200, 24, 1), [200, 24]) }];

test('stages rise to the sparsity; what is removed stays removed, though the rest is fitted anew', async () => {
  const options = { sparsity: 0.75, method: 'wanda', threads: 1 } as const;
  const stages = scheduledStages(options, { curve: 'linear', stages: 3 }, 'options');
  expect(stages).toEqual([0.25, 0.5, 0.75].map((sparsity) => ({ ...options, sparsity })));
  let current: Graph = graph;
  let zeros = new Set<number>();
  for (const stage of stages) {
    current = (await pruneCalibrated(current, samples, stage)).graph;
    const own = new Set(
      [...values(current, 'w').entries()].flatMap(([at, value]) => (value === 0 ? [at] : [])),
    );
    expect(own.size).toBe(Math.round(24 * (stage.sparsity ?? 0)) * 16);
    for (const at of zeros) expect(own.has(at)).toBe(true);
    zeros = own;
  }
});
