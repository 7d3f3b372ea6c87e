import type { Graph } from '../graph/graph.js';
import { LayerBuilder } from './layers.js';

export interface DenseNetOptions {
  readonly image?: number;
  /** Channels that every layer adds. Default: 32. */
  readonly growth?: number;
  /** Layers of each stage. Default: 6, 12, 24, 16 (DenseNet-121). */
  readonly blocks?: readonly number[];
  readonly classes?: number;
  readonly seed?: number;
}

/** G. Huang et al., "Densely connected convolutional networks", 2017. */
export function denseNet(options: DenseNetOptions = {}): Graph {
  const { image = 224, growth = 32, blocks = [6, 12, 24, 16], classes = 1000, seed = 1 } = options;
  const b = new LayerBuilder('densenet', seed);
  const active = (x: string) => b.relu(b.batchNorm(x));
  let x = active(b.conv(b.input('image', [1, 3, image, image]), 2 * growth, { kernel: 7, stride: 2 }));
  x = b.maxPool(x, 3, 2, 1);
  for (const [stage, count] of blocks.entries()) {
    if (stage > 0) {
      x = b.conv(active(x), (b.dims(x)[1] ?? 0) / 2, { kernel: 1 });
      x = b.node('AveragePool', [x], { kernel_shape: [2, 2], strides: [2, 2] });
    }
    const parts = [x];
    for (let i = 0; i < count; i++) {
      const all = parts.length === 1 ? x : b.node('Concat', parts, { axis: 1 });
      parts.push(b.conv(active(b.conv(active(all), 4 * growth, { kernel: 1 })), growth));
    }
    x = b.node('Concat', parts, { axis: 1 });
  }
  return b.output('scores', b.linear(b.pooled(active(x)), classes)).build();
}

export interface UNetOptions {
  readonly image?: number;
  /** Channels of each level. Default: 64, 128, 256, 512, 1024. */
  readonly channels?: readonly number[];
  readonly classes?: number;
  readonly seed?: number;
}

/** O. Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", 2015. */
export function uNet(options: UNetOptions = {}): Graph {
  const { image = 256, channels = [64, 128, 256, 512, 1024], classes = 2, seed = 1 } = options;
  const b = new LayerBuilder('u-net', seed);
  const double = (x: string, width: number) =>
    b.relu(b.batchNorm(b.conv(b.relu(b.batchNorm(b.conv(x, width))), width)));
  let x = b.input('image', [1, 3, image, image]);
  const skips: string[] = [];
  for (const [level, width] of channels.entries()) {
    x = double(level === 0 ? x : b.maxPool(x, 2, 2), width);
    skips.push(x);
  }
  for (const [i, width] of channels.slice(0, -1).reverse().entries()) {
    const skip = skips[channels.length - 2 - i] ?? x;
    x = double(b.node('Concat', [skip, b.convTranspose(x, width)], { axis: 1 }), width);
  }
  return b.output('map', b.conv(x, classes, { kernel: 1, bias: true })).build();
}

export interface DiffusionOptions {
  /** Steps of the action chunk, a multiple of 2 ** (levels - 1). Default: 16. */
  readonly horizon?: number;
  readonly actions?: number;
  /** Numbers of the condition: the observation and the embedded diffusion step. Default: 256. */
  readonly condition?: number;
  /** Channels of each level. Default: 256, 512, 1024. */
  readonly channels?: readonly number[];
  readonly groups?: number;
  readonly seed?: number;
}

/**
 * The 1-D U-Net of C. Chi et al., "Diffusion policy", 2023: inputs `sample` [1, actions, horizon] and `condition`
 * [1, condition], output `noise`; every residual block is scaled and shifted by the condition (FiLM).
 */
export function diffusionUNet(options: DiffusionOptions = {}): Graph {
  const {
    horizon = 16,
    actions = 7,
    condition = 256,
    channels = [256, 512, 1024],
    groups = 8,
    seed = 1,
  } = options;
  const b = new LayerBuilder('diffusion-u-net', seed);
  const given = b.node('Mish', [b.input('condition', [1, condition])]);
  const unit = (y: string, width: number) =>
    b.node('Mish', [b.groupNorm(b.conv(y, width, { kernel: 5, bias: true, gain: 1 }), groups)]);
  const block = (y: string, width: number) => {
    const film = b.reshape(b.linear(given, 2 * width), [1, 2, width, 1]);
    const [scale = '', shift = ''] = b.nodes('Split', [film, b.ints([1, 1])], 2, { axis: 1 });
    const [factor = '', offset = ''] = [scale, shift].map((part) => b.node('Squeeze', [part, b.ints([1])]));
    const scaled = b.add(b.node('Mul', [factor, unit(y, width)]), offset);
    const same = b.dims(y)[1] === width;
    return b.add(unit(scaled, width), same ? y : b.conv(y, width, { kernel: 1, bias: true, gain: 1 }));
  };
  let x = b.input('sample', [1, actions, horizon]);
  const skips: string[] = [];
  for (const [level, width] of channels.entries()) {
    x = block(block(x, width), width);
    skips.push(x);
    if (level < channels.length - 1) x = b.conv(x, width, { stride: 2, bias: true, gain: 1 });
  }
  x = block(block(x, channels.at(-1) ?? 1), channels.at(-1) ?? 1);
  for (const width of channels.slice(0, -1).reverse()) {
    const joined = b.node('Concat', [x, skips.pop() ?? x], { axis: 1 });
    x = block(block(joined, width), width);
    x = b.convTranspose(x, width, { kernel: 4, stride: 2, pad: 1 });
  }
  x = unit(x, channels[0] ?? 1);
  return b.output('noise', b.conv(x, actions, { kernel: 1, bias: true, gain: 1 })).build();
}
