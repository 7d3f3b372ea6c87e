/**
 * How fast each weight format runs, as plain data: what the cost model in cost.ts decides by.
 *
 * Those of AVX-512 are measured with `espalier_kernel_bench`, one thread, at a peak of 225 GFLOP/s, and rounded; those of
 * other instruction sets are estimated from them and from the width of their vectors. They are of one machine: a choice
 * rests on their ratios, which others of the instruction set share.
 */

/** Tokens (rows of a product's input, pixels of a convolution's output) that share a pass over the weights. */
export const tokenClasses = ['1', '2-4', '5-16', '17+'] as const;

export type TokenClass = (typeof tokenClasses)[number];

/** A figure, or figures by density of the non-zero weights, densest first; between two of them it is interpolated. */
export type Rate = number | readonly (readonly [density: number, rate: number])[];

/** 10^9 floating-point operations per second on stored values (2 for each value and token), weights in cache. */
type FormatRates = Readonly<Record<TokenClass, Rate>>;

type RatesOfFormats = Readonly<
  Record<'dense' | 'block16' | 'block8' | 'block4' | 'csr' | 'sell' | 'ell', FormatRates>
>;

export interface IsaRates {
  readonly formats: RatesOfFormats;
  /** 10^9 bytes of weights per second, by the cache that holds them all. */
  readonly bandwidth: Readonly<Record<'L2' | 'L3' | 'memory', number>>;
  /** 10^9 bytes of inputs and outputs per second, as they are laid out for several tokens: the same for every format. */
  readonly activations: Readonly<Record<'product' | 'convolution', number>>;
  /**
   * Speed of sell in a convolution over that in a product. Its loads jump between the rows of the input, which lie an
   * image apart: each is another page, where other formats walk along.
   */
  readonly sellInConvolution: number;
  /**
   * Winograd's algorithm: the speed of its products over that of dense with many tokens, and nanoseconds that it takes to
   * transform a tile of one input channel and of one output channel.
   */
  readonly winograd: { readonly productSpeed: number; readonly input: number; readonly output: number };
  /** Nanoseconds that sell takes to begin an output in a block of columns, for each token: what few weights pay for. */
  readonly sellRowStart: number;
}

const avx512: IsaRates = {
  formats: {
    dense: { '1': 55, '2-4': 70, '5-16': 155, '17+': 205 },
    block16: { '1': 52, '2-4': 60, '5-16': 135, '17+': 190 },
    block8: { '1': 40, '2-4': 25, '5-16': 90, '17+': 190 },
    block4: { '1': 32, '2-4': 20, '5-16': 70, '17+': 175 },
    csr: { '1': 7.5, '2-4': 10, '5-16': 40, '17+': 65 },
    sell: {
      '1': 6,
      '2-4': 17,
      '5-16': steps(65, 62, 58, 50, 40),
      '17+': steps(139, 133, 129, 117, 98),
    },
    ell: { '1': 25, '2-4': 25, '5-16': 25, '17+': 25 },
  },
  bandwidth: { L2: 200, L3: 90, memory: 14 },
  activations: { product: 25, convolution: 60 },
  sellInConvolution: 0.65,
  winograd: { productSpeed: 0.85, input: 4.5, output: 6.5 },
  sellRowStart: 0.06,
};

/** Half the vector of AVX-512: what fills vectors runs at half its speed, what waits for loads of indices keeps more. */
const avx2: IsaRates = {
  formats: {
    dense: { '1': 45, '2-4': 45, '5-16': 80, '17+': 102 },
    block16: { '1': 44, '2-4': 45, '5-16': 80, '17+': 102 },
    block8: { '1': 36, '2-4': 40, '5-16': 78, '17+': 100 },
    block4: { '1': 24, '2-4': 30, '5-16': 70, '17+': 92 },
    csr: { '1': 6, '2-4': 8, '5-16': 28, '17+': 40 },
    sell: {
      '1': 5,
      '2-4': 9,
      '5-16': steps(45, 44, 42, 38, 32),
      '17+': steps(72, 70, 68, 62, 53),
    },
    ell: { '1': 14, '2-4': 14, '5-16': 14, '17+': 14 },
  },
  bandwidth: { L2: 120, L3: 70, memory: 14 },
  activations: { product: 20, convolution: 45 },
  sellInConvolution: 0.7,
  winograd: { productSpeed: 0.85, input: 8, output: 12 },
  sellRowStart: 0.12,
};

const neon: IsaRates = {
  formats: {
    dense: { '1': 18, '2-4': 20, '5-16': 30, '17+': 36 },
    block16: { '1': 18, '2-4': 20, '5-16': 30, '17+': 36 },
    block8: { '1': 16, '2-4': 18, '5-16': 29, '17+': 35 },
    block4: { '1': 13, '2-4': 15, '5-16': 27, '17+': 33 },
    csr: { '1': 3, '2-4': 5, '5-16': 12, '17+': 16 },
    sell: { '1': 3, '2-4': 6, '5-16': steps(19, 18, 18, 16, 14), '17+': steps(27, 26, 25, 23, 20) },
    ell: { '1': 6, '2-4': 6, '5-16': 6, '17+': 6 },
  },
  bandwidth: { L2: 40, L3: 20, memory: 8 },
  activations: { product: 6, convolution: 8 },
  sellInConvolution: 0.7,
  winograd: { productSpeed: 0.85, input: 16, output: 22 },
  sellRowStart: 0.4,
};

const scalar: IsaRates = {
  formats: {
    dense: { '1': 4, '2-4': 5, '5-16': 6, '17+': 6 },
    block16: { '1': 4, '2-4': 5, '5-16': 6, '17+': 6 },
    block8: { '1': 3.8, '2-4': 4.8, '5-16': 5.8, '17+': 5.8 },
    block4: { '1': 3.5, '2-4': 4.5, '5-16': 5.5, '17+': 5.5 },
    csr: { '1': 2, '2-4': 3, '5-16': 4, '17+': 4 },
    sell: { '1': 1.8, '2-4': 3, '5-16': 4.5, '17+': 4.5 },
    ell: { '1': 2, '2-4': 2, '5-16': 2, '17+': 2 },
  },
  bandwidth: { L2: 60, L3: 40, memory: 10 },
  activations: { product: 6, convolution: 10 },
  sellInConvolution: 0.9,
  winograd: { productSpeed: 0.85, input: 80, output: 110 },
  sellRowStart: 1,
};

/** By the name of the instruction set, as a session has it. */
export const ratesOfIsa: Readonly<Record<string, IsaRates>> = { avx512, avx2, neon, scalar };

/** Bytes of weights that a cache keeps from one run to the next, beside inputs and outputs. */
export const cacheBytes = { L2: 0.75 * 2 ** 20, L3: 16 * 2 ** 20 } as const;

/** Share of a slot's 16 values that are weights in `ell`, zeros lying at random. */
export const ellFill: Rate = [[1, 1], ...steps(0.96, 0.89, 0.82, 0.68, 0.54)];

/** Share of slots that are weights in `sell`: rows of like counts lie together. */
export const sellFill = 0.97;

/** Speed with values stored as float16 over that with float32, when they come from cache: they are widened first. */
export const float16Speed: Readonly<Record<TokenClass, number>> = {
  '1': 0.9,
  '2-4': 0.9,
  '5-16': 0.95,
  '17+': 0.97,
};

/** A sparse format has to be predicted this much cheaper than dense: the model is not better than that. */
export const sparseMargin = 0.04;

/** Figures for the densities that kernels are measured at. */
function steps(half: number, third: number, fifth: number, tenth: number, twentieth: number) {
  return [
    [0.5, half],
    [0.3, third],
    [0.2, fifth],
    [0.1, tenth],
    [0.05, twentieth],
  ] as const;
}
