import type { Graph } from '../graph/graph.js';
import { LayerBuilder } from './layers.js';

export interface MobileOptions {
  readonly image?: number;
  /** All numbers of channels are multiplied by it and rounded to multiples of 8. Default: 1. */
  readonly width?: number;
  /** Stages from the first one on. Default: all. */
  readonly stages?: number;
  readonly classes?: number;
  readonly seed?: number;
}

/** Expansion, channels, blocks, stride, kernel. */
type Stage = readonly [expansion: number, channels: number, blocks: number, stride: number, kernel: number];

const mobileNetV2Stages: readonly Stage[] = [
  [1, 16, 1, 1, 3],
  [6, 24, 2, 2, 3],
  [6, 32, 3, 2, 3],
  [6, 64, 4, 2, 3],
  [6, 96, 3, 1, 3],
  [6, 160, 3, 2, 3],
  [6, 320, 1, 1, 3],
];

const efficientNetStages: readonly Stage[] = [
  [1, 16, 1, 1, 3],
  [6, 24, 2, 2, 3],
  [6, 40, 2, 2, 5],
  [6, 80, 3, 2, 3],
  [6, 112, 3, 1, 5],
  [6, 192, 4, 2, 5],
  [6, 320, 1, 1, 3],
];

/** M. Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018. */
export function mobileNetV2(options: MobileOptions = {}): Graph {
  const b = new LayerBuilder('mobilenet-v2', options.seed ?? 1);
  const relu6 = (x: string) => b.node('Clip', [x, b.scalar(0), b.scalar(6)]);
  return inverted(b, options, mobileNetV2Stages, relu6, false);
}

/** M. Tan, Q. Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019: B0. */
export function efficientNetB0(options: MobileOptions = {}): Graph {
  const b = new LayerBuilder('efficientnet-b0', options.seed ?? 1);
  return inverted(b, options, efficientNetStages, (x) => b.silu(x), true);
}

type Activation = (x: string) => string;

function inverted(
  b: LayerBuilder,
  { image = 224, width = 1, stages, classes = 1000 }: MobileOptions,
  table: readonly Stage[],
  activation: Activation,
  squeeze: boolean,
): Graph {
  const scaled = (channels: number) => Math.max(8, Math.round((channels * width) / 8) * 8);
  let x = activation(b.batchNorm(b.conv(b.input('image', [1, 3, image, image]), scaled(32), { stride: 2 })));
  for (const [expansion, channels, blocks, stride, kernel] of table.slice(0, stages)) {
    for (let i = 0; i < blocks; i++) {
      const inputs = b.dims(x)[1] ?? 0;
      const outputs = scaled(channels);
      const hidden = inputs * expansion;
      let y = expansion === 1 ? x : activation(b.batchNorm(b.conv(x, hidden, { kernel: 1 })));
      const step = i === 0 ? stride : 1;
      y = activation(b.batchNorm(b.conv(y, hidden, { kernel, stride: step, groups: hidden })));
      if (squeeze) y = squeezeExcite(b, y, Math.max(1, inputs / 4), activation);
      y = b.batchNorm(b.conv(y, outputs, { kernel: 1, gain: 1 }), step === 1 && inputs === outputs ? 0.5 : 1);
      x = step === 1 && inputs === outputs ? b.add(x, y) : y;
    }
  }
  x = activation(b.batchNorm(b.conv(x, scaled(1280), { kernel: 1 })));
  return b.output('scores', b.linear(b.pooled(x), classes)).build();
}

/** J. Hu et al., "Squeeze-and-excitation networks", 2018: every channel times a gate computed from all means. */
function squeezeExcite(b: LayerBuilder, x: string, squeezed: number, activation: Activation): string {
  const channels = b.dims(x)[1] ?? 0;
  const means = b.node('GlobalAveragePool', [x]);
  const hidden = activation(b.conv(means, squeezed, { kernel: 1, bias: true }));
  return b.node('Mul', [x, b.node('Sigmoid', [b.conv(hidden, channels, { kernel: 1, bias: true })])]);
}

export interface ShuffleOptions {
  readonly image?: number;
  /** Channels of each stage, even. Default: 116, 232, 464. */
  readonly channels?: readonly number[];
  /** Blocks of each stage. Default: 4, 8, 4. */
  readonly blocks?: readonly number[];
  readonly classes?: number;
  readonly seed?: number;
}

/** N. Ma et al., "ShuffleNet V2: practical guidelines for efficient CNN architecture design", 2018. */
export function shuffleNetV2(options: ShuffleOptions = {}): Graph {
  const { image = 224, channels = [116, 232, 464], blocks = [4, 8, 4], classes = 1000, seed = 1 } = options;
  const b = new LayerBuilder('shufflenet-v2', seed);
  let x = b.relu(b.batchNorm(b.conv(b.input('image', [1, 3, image, image]), 24, { stride: 2 })));
  x = b.maxPool(x, 3, 2, 1);
  for (const [stage, width] of channels.entries()) {
    for (let i = 0; i < (blocks[stage] ?? 1); i++) x = shuffleBlock(b, x, width / 2, i === 0);
  }
  x = b.relu(b.batchNorm(b.conv(x, 1024, { kernel: 1 })));
  return b.output('scores', b.linear(b.pooled(x), classes)).build();
}

function shuffleBlock(b: LayerBuilder, x: string, half: number, down: boolean): string {
  const pointwise = (y: string) => b.relu(b.batchNorm(b.conv(y, half, { kernel: 1 })));
  const depthwise = (y: string) => {
    const groups = b.dims(y)[1] ?? 0;
    return b.batchNorm(b.conv(y, groups, { stride: down ? 2 : 1, groups, gain: 1 }));
  };
  const [left = '', right = ''] = down
    ? [pointwise(depthwise(x)), x]
    : b.nodes('Split', [x, b.ints([half, half])], 2, { axis: 1 });
  const joined = b.node('Concat', [left, pointwise(depthwise(pointwise(right)))], { axis: 1 });
  const [batch = 1, channels = 0, height = 0, width = 0] = b.dims(joined);
  const grouped = b.reshape(joined, [batch, 2, channels / 2, height, width]);
  return b.reshape(b.transpose(grouped, [0, 2, 1, 3, 4]), [batch, channels, height, width]);
}
