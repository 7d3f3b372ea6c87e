import type { Samples } from '../../src/calibrate/index.js';
import type { Graph } from '../../src/graph/graph.js';
import { InferenceSession, Tensor } from '../../src/index.js';
import { seeded } from '../prune/graphs.js';

/** Normally distributed numbers that depend on each other, as activations do: few directions hold most of them. */
export function correlated(rows: number, inputs: number, seed: number): Float32Array {
  const random = seeded(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const mixed = Array.from({ length: inputs }, () => Array.from({ length: inputs }, normal));
  const scales = Array.from({ length: inputs }, (_, i) => 1 / (1 + i / 4));
  const data = new Float32Array(rows * inputs);
  for (let row = 0; row < rows; row++) {
    const hidden = scales.map((scale) => scale * normal());
    for (let j = 0; j < inputs; j++)
      data[row * inputs + j] = 0.3 + hidden.reduce((sum, h, i) => sum + h * (mixed[i]?.[j] as number), 0);
  }
  return data;
}

/** One sample per array, for a graph whose one input is called x. */
export function samplesOf(arrays: readonly Float32Array[], dims: readonly number[]): Samples {
  return arrays.map((data) => ({ x: new Tensor('float32', data, dims) }));
}

/** The outputs of a graph for every sample, one after the other. */
export function outputsOf(graph: Graph, samples: Samples): Float64Array {
  using session = InferenceSession.fromGraph(graph, { threads: 1 });
  const parts = samples.map((sample) => Object.values(session.runSync(sample))[0]?.data as Float32Array);
  return Float64Array.from(parts.flatMap((part) => Array.from(part)));
}

/** |a - b|^2 / |b|^2. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] as number) - (b[i] as number)) ** 2;
    norm += (b[i] as number) ** 2;
  }
  return difference / norm;
}
