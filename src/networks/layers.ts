import { GraphBuilder } from '../graph/builder.js';
import { elementCount } from '../tensor.js';

export interface ConvOptions {
  /** One number for every spatial axis. Default: 3. */
  readonly kernel?: number;
  readonly stride?: number;
  readonly groups?: number;
  /** Default: half the kernel, which keeps the size at stride 1. */
  readonly pad?: number;
  readonly bias?: boolean;
  /** Standard deviation of the outputs over that of the inputs. Default: sqrt(2), as a ReLU follows. */
  readonly gain?: number;
}

/**
 * Layers with random weights, the same for the same seed, in the forms in which PyTorch exports them. Weights are
 * scaled by their number of inputs (K. He et al., "Delving deep into rectifiers", 2015), so activations stay finite.
 */
export class LayerBuilder extends GraphBuilder {
  #state: number;

  constructor(name: string, seed: number) {
    super(name);
    this.#state = seed | 0;
  }

  /** The next random number in [0, 1): mulberry32, a public domain generator by Tommy Ettinger. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A constant of random numbers in [middle - spread, middle + spread). */
  random(dims: readonly number[], spread: number, middle = 0, name?: string): string {
    const values = new Float32Array(elementCount(dims));
    for (let i = 0; i < values.length; i++) values[i] = middle + spread * (2 * this.next() - 1);
    return this.constant(dims, values, name);
  }

  /** Weights whose standard deviation is gain / sqrt(inputs). */
  weights(dims: readonly number[], inputs: number, gain = 1): string {
    return this.random(dims, gain * Math.sqrt(3 / inputs));
  }

  /** x [batch, channels, ...spatial] -> [batch, outputs, ...]. */
  conv(x: string, outputs: number, options: ConvOptions = {}): string {
    const { kernel = 3, stride = 1, groups = 1, bias = false, gain = Math.SQRT2 } = options;
    const [, channels = 0, ...spatial] = this.dims(x);
    const pad = options.pad ?? Math.floor(kernel / 2);
    const inputs = channels / groups;
    const dims = [outputs, inputs, ...spatial.map(() => kernel)];
    const weight = this.weights(dims, inputs * kernel ** spatial.length, gain);
    return this.node('Conv', [x, weight, ...(bias ? [this.random([outputs], 0.1)] : [])], {
      group: groups,
      kernel_shape: spatial.map(() => kernel),
      strides: spatial.map(() => stride),
      pads: spatial.flatMap(() => [pad, pad]),
    });
  }

  /** x [batch, channels, ...spatial] -> [batch, outputs, ...spatial * stride]. */
  convTranspose(x: string, outputs: number, { kernel = 2, stride = 2, pad = 0 } = {}): string {
    const [, channels = 0, ...spatial] = this.dims(x);
    const weight = this.weights([channels, outputs, ...spatial.map(() => kernel)], channels * 2);
    return this.node('ConvTranspose', [x, weight, this.random([outputs], 0.1)], {
      kernel_shape: spatial.map(() => kernel),
      strides: spatial.map(() => stride),
      pads: spatial.flatMap(() => [pad, pad]),
    });
  }

  /** x [..., inputs] -> [..., outputs]: a Gemm for two axes, else a MatMul and an Add. */
  linear(x: string, outputs: number, { bias = true, gain = 1 } = {}): string {
    const inputs = this.dims(x).at(-1) ?? 0;
    if (this.dims(x).length === 2) {
      const weight = this.weights([outputs, inputs], inputs, gain);
      return this.node('Gemm', [x, weight, ...(bias ? [this.random([outputs], 0.1)] : [])], { transB: 1 });
    }
    const product = this.node('MatMul', [x, this.weights([inputs, outputs], inputs, gain)]);
    return bias ? this.node('Add', [this.random([outputs], 0.1), product]) : product;
  }

  batchNorm(x: string, gain = 1): string {
    const dims = [this.dims(x)[1] ?? 0];
    const [scale, shift, mean] = [
      this.random(dims, gain / 2, gain),
      this.random(dims, 0.1),
      this.random(dims, 0.1),
    ];
    return this.node('BatchNormalization', [x, scale, shift, mean, this.random(dims, 0.5, 1)], {
      epsilon: 1e-5,
    });
  }

  /** Over the last axis. */
  layerNorm(x: string): string {
    const dims = [this.dims(x).at(-1) ?? 0];
    const inputs = [x, this.random(dims, 0.5, 1), this.random(dims, 0.1)];
    return this.node('LayerNormalization', inputs, { axis: -1, epsilon: 1e-5 });
  }

  /** Over the last axis: B. Zhang, R. Sennrich, "Root mean square layer normalization", 2019. */
  rmsNorm(x: string): string {
    const squares = this.node('Pow', [x, this.scalar(2)]);
    const mean = this.node('ReduceMean', [squares, this.ints([-1])], { keepdims: 1 });
    const root = this.node('Sqrt', [this.node('Add', [mean, this.scalar(1e-5)])]);
    return this.node('Mul', [this.node('Div', [x, root]), this.random([this.dims(x).at(-1) ?? 0], 0.5, 1)]);
  }

  /** Y. Wu, K. He, "Group normalization", 2018, of x [batch, channels, ...spatial], in operators of every runtime. */
  groupNorm(x: string, groups: number): string {
    const [batch = 1, channels = 0, ...spatial] = this.dims(x);
    const grouped = this.reshape(x, [batch, groups, -1]);
    const mean = this.node('ReduceMean', [grouped, this.ints([2])], { keepdims: 1 });
    const centred = this.node('Sub', [grouped, mean]);
    const variance = this.node('ReduceMean', [this.node('Mul', [centred, centred]), this.ints([2])], {
      keepdims: 1,
    });
    const deviation = this.node('Sqrt', [this.node('Add', [variance, this.scalar(1e-5)])]);
    const normalised = this.reshape(this.node('Div', [centred, deviation]), [batch, channels, ...spatial]);
    const dims = [channels, ...spatial.map(() => 1)];
    const scaled = this.node('Mul', [normalised, this.random(dims, 0.5, 1)]);
    return this.node('Add', [scaled, this.random(dims, 0.1)]);
  }

  relu(x: string): string {
    return this.node('Relu', [x]);
  }

  /** x * sigmoid(x), which ONNX has no operator for. */
  silu(x: string): string {
    return this.node('Mul', [x, this.node('Sigmoid', [x])]);
  }

  add(a: string, b: string): string {
    return this.node('Add', [a, b]);
  }

  reshape(x: string, dims: readonly number[]): string {
    return this.node('Reshape', [x, this.ints(dims)]);
  }

  transpose(x: string, perm: readonly number[]): string {
    return this.node('Transpose', [x], { perm });
  }

  /** The mean of every channel: [batch, channels, ...spatial] -> [batch, channels]. */
  pooled(x: string): string {
    return this.node('Flatten', [this.node('GlobalAveragePool', [x])], { axis: 1 });
  }

  maxPool(x: string, kernel: number, stride: number, pad = 0): string {
    return this.node('MaxPool', [x], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
    });
  }
}
