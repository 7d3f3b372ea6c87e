import type { Graph } from '../../src/graph/graph.js';
import {
  denseNet,
  diffusionUNet,
  efficientNetB0,
  llama,
  mlpPolicy,
  mobileNetV2,
  resnet,
  resnetPolicy,
  shuffleNetV2,
  uNet,
  vit,
} from '../../src/networks/index.js';
import { Tensor, type TensorMap } from '../../src/tensor.js';
import { randomNumbers } from '../graph/support.js';

/** Every network at a size that runs in milliseconds. */
export const smallNetworks: Readonly<Record<string, () => Graph>> = {
  'resnet-18 policy': () => resnetPolicy({ image: 32, width: 8, hidden: [32, 16] }),
  'resnet-50': () => resnet({ image: 32, width: 8, blocks: [2, 2, 1, 1], bottleneck: true, classes: 10 }),
  'mobilenet-v2': () => mobileNetV2({ image: 32, width: 0.5, stages: 4, classes: 10 }),
  'efficientnet-b0': () => efficientNetB0({ image: 32, width: 0.5, stages: 4, classes: 10 }),
  'shufflenet-v2': () => shuffleNetV2({ image: 64, channels: [24, 48], blocks: [3, 2], classes: 10 }),
  densenet: () => denseNet({ image: 32, growth: 8, blocks: [3, 2, 2], classes: 10 }),
  'u-net': () => uNet({ image: 32, channels: [8, 16, 32] }),
  'vit packed': () => vit({ image: 32, patch: 8, width: 48, heads: 4, depth: 2, classes: 10 }),
  vit: () => vit({ image: 32, patch: 8, width: 48, heads: 4, depth: 2, classes: 10, packed: false }),
  llama: () => llama({ tokens: 8, vocabulary: 64, width: 64, heads: 8, kvHeads: 4, depth: 2, hidden: 96 }),
  'llama tied': () =>
    llama({ tokens: 8, vocabulary: 64, width: 32, heads: 4, kvHeads: 2, depth: 1, hidden: 48, tied: true }),
  'diffusion u-net': () =>
    diffusionUNet({ horizon: 8, actions: 4, condition: 24, channels: [16, 32, 64], groups: 4 }),
  'mlp policy': () => mlpPolicy({ widths: [24, 64, 32, 6] }),
};

/** Random feeds for a graph whose inputs have fixed dims; `dims` says those of the others. */
export function feedsOf(graph: Graph, dims: ReadonlyMap<string, readonly number[]> = new Map()): TensorMap {
  const next = randomNumbers(3);
  return Object.fromEntries(
    graph.inputs.map((input) => {
      const own = dims.get(input.name) ?? (input.dims as readonly number[]);
      const count = own.reduce((product, dim) => product * dim, 1);
      const values = Array.from({ length: count }, () => next());
      const data =
        input.type === 'int64'
          ? BigInt64Array.from(values, (value) => BigInt(Math.floor(value * 64)))
          : Float32Array.from(values, (value) => value * 2 - 1);
      return [input.name, new Tensor(input.type, data, own)];
    }),
  );
}
