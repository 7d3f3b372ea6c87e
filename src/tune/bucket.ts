import type { LayerRequest } from '../compile/builder.js';
import { tokenClass } from '../sparse/cost.js';
import type { WeightStorage } from '../sparse/weight_formats.js';

/**
 * The name of all layers that are taken to be as fast as each other in every format: same shape, pattern and number of
 * threads, about as sparse, about as many tokens. A convolution's window and input are part of it.
 */
export function bucketOf(request: LayerRequest, storage: WeightStorage, threads: number): string {
  const { analysis, n, step } = request;
  const { groups, outputs, inputs, pattern, sparsity } = analysis;
  const decile = Math.min(9, Math.floor((1 - sparsity) * 10));
  const tokens = step.op === 'conv2d' ? `${step.x.join('x')} ${windowOf(request)}` : tokenClass(n);
  return [
    step.op,
    `${groups}x${outputs}x${inputs}`,
    pattern,
    `d${decile}`,
    tokens,
    storage,
    `t${threads}`,
  ].join(' ');
}

function windowOf({ step }: LayerRequest): string {
  return Object.keys(step.ints)
    .sort()
    .map((name) => [step.ints[name]].flat().join('x'))
    .join('+');
}
