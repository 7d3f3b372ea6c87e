import type { Graph } from '../graph/graph.js';
import { LayerBuilder } from './layers.js';

export interface ResNetOptions {
  /** Side of the image, in pixels. Default: 224. */
  readonly image?: number;
  /** Channels of the first stage. Default: 64. */
  readonly width?: number;
  /** Blocks of each stage. Default: 2, 2, 2, 2 (ResNet-18). */
  readonly blocks?: readonly number[];
  /** Blocks of three convolutions, four times as wide at their ends (ResNet-50: 3, 4, 6, 3 of these). */
  readonly bottleneck?: boolean;
  readonly classes?: number;
  readonly seed?: number;
}

/** K. He et al., "Deep residual learning for image recognition", 2016: input `image`, output `scores`. */
export function resnet(options: ResNetOptions = {}): Graph {
  const { image = 224, classes = 1000, seed = 1 } = options;
  const b = new LayerBuilder('resnet', seed);
  const features = backbone(b, b.input('image', [1, 3, image, image]), options);
  return b.output('scores', b.linear(features, classes)).build();
}

export interface PolicyOptions extends ResNetOptions {
  /** Numbers of the robot's own state. Default: 14. */
  readonly state?: number;
  readonly hidden?: readonly number[];
  readonly actions?: number;
}

/** A visuomotor policy: a ResNet sees `image`, a multi-layer perceptron joins it with `state` and gives `action`. */
export function resnetPolicy(options: PolicyOptions = {}): Graph {
  const { image = 224, state = 14, hidden = [512, 256], actions = 7, seed = 1 } = options;
  const b = new LayerBuilder('resnet-policy', seed);
  const features = backbone(b, b.input('image', [1, 3, image, image]), options);
  let x = b.node('Concat', [features, b.input('state', [1, state])], { axis: 1 });
  for (const width of hidden) x = b.relu(b.linear(x, width, { gain: Math.SQRT2 }));
  return b.output('action', b.linear(x, actions)).build();
}

/** [1, 3, image, image] -> [1, features]. */
function backbone(b: LayerBuilder, image: string, options: ResNetOptions): string {
  const { width = 64, blocks = [2, 2, 2, 2], bottleneck = false } = options;
  let x = b.relu(b.batchNorm(b.conv(image, width, { kernel: 7, stride: 2 })));
  x = b.maxPool(x, 3, 2, 1);
  for (const [stage, count] of blocks.entries()) {
    for (let i = 0; i < count; i++) {
      const stride = stage > 0 && i === 0 ? 2 : 1;
      x = block(b, x, width * 2 ** stage, stride, bottleneck);
    }
  }
  return b.pooled(x);
}

function block(b: LayerBuilder, x: string, width: number, stride: number, bottleneck: boolean): string {
  const outputs = bottleneck ? 4 * width : width;
  const norm = (y: string, gain = 1) => b.batchNorm(y, gain);
  let y: string;
  if (bottleneck) {
    y = b.relu(norm(b.conv(x, width, { kernel: 1 })));
    y = b.relu(norm(b.conv(y, width, { stride })));
    y = norm(b.conv(y, outputs, { kernel: 1 }), 0.5);
  } else {
    y = b.relu(norm(b.conv(x, width, { stride })));
    y = norm(b.conv(y, outputs), 0.5);
  }
  const same = stride === 1 && b.dims(x)[1] === outputs;
  return b.relu(b.add(y, same ? x : norm(b.conv(x, outputs, { kernel: 1, stride }))));
}
