import type { LayerAnalysis } from './analyze.js';
import { type BlockPattern, keptOfEvery } from './patterns.js';
import {
  cacheBytes,
  ellFill,
  float16Speed,
  type IsaRates,
  type Rate,
  ratesOfIsa,
  sellFill,
  type TokenClass,
  tokenClasses,
} from './rates.js';
import { storageIn, type WeightFormat, type WeightStorage } from './weight_formats.js';

/** What the cost of a layer depends on beside its weights. */
export interface CostContext {
  /** Tokens: rows of a product's input, output pixels of one image of a convolution. */
  readonly n: number;
  /** Images, which pass over the weights one by one. Default: 1. */
  readonly batch?: number | undefined;
  /** The instruction set, as a session has it. */
  readonly isa: string;
  /** Taps of a convolution's window, which share a copy of what they see. Default: 1. */
  readonly taps?: number | undefined;
  /** How values are stored. Default: float32. */
  readonly storage?: WeightStorage | undefined;
  /**
   * Tiles of 4 x 4 output pixels of one image, of a convolution that Winograd's algorithm can run: 3 x 3, in steps of
   * one pixel. undefined: it cannot.
   */
  readonly winogradTiles?: number | undefined;
  /** Weights of all layers that run between two uses of this one: they share the caches. Default: this layer's. */
  readonly modelWeights?: number | undefined;
}

export interface Prediction {
  /** On one thread. */
  readonly microseconds: number;
  /** Of the packed weights. */
  readonly bytes: number;
}

/** Columns that a 16-bit index reaches; only dense and csr go beyond. */
const mostIndexed = 65536;

/** Columns of one block of `sell`, and the bytes each row takes there beside its values. */
const sellColumns = 192;
const sellRowBytes = 3;
/** Values of a slot of `ell`, and the bytes of its indices and window. */
const ellSlot = 16;
const ellSlotBytes = 20;

const patternOf: Readonly<Partial<Record<WeightFormat, BlockPattern>>> = {
  block16: '16x1',
  block8: '8x1',
  block4: '4x1',
};

/** Whether the format can run this layer. */
export function canHold(analysis: LayerAnalysis, format: WeightFormat, { n }: CostContext): boolean {
  if (format === 'dense' || format === 'csr') return true;
  if (analysis.inputs > mostIndexed) return false;
  const oneToken = n === 1 && analysis.op !== 'Conv';
  return format === 'ell' ? oneToken : format !== 'sell' || !oneToken;
}

/** Values that the packed weights hold, padding included. */
export function storedValues(analysis: LayerAnalysis, format: WeightFormat): number {
  const { weights, zeros, denormals, storedWeights, denseStored, outputs } = analysis;
  const nonZeros = weights - zeros - denormals;
  if (format === 'dense') return denseStored;
  if (format === 'csr') return nonZeros;
  if (format === 'sell') return (nonZeros / sellFill) * (padded(outputs, 4) / outputs);
  if (format === 'ell') return nonZeros / slotFill(analysis, nonZeros / weights);
  return storedWeights[patternOf[format] as BlockPattern];
}

/** Bytes of the packed weights, as good as can be said without packing them. */
export function storedBytes(analysis: LayerAnalysis, format: WeightFormat, storage: WeightStorage): number {
  const { groups, outputs, inputs } = analysis;
  const rows = groups * outputs;
  const stored = storedValues(analysis, format);
  const valueBytes = storageIn(format, storage) === 'float16' ? 2 : 4;
  switch (format) {
    case 'dense':
      return stored * valueBytes;
    case 'csr':
      return stored * (valueBytes + 4) + rows * 4;
    case 'sell':
      return stored * (valueBytes + 1) + rows * sellRowBytes * Math.ceil(inputs / sellColumns);
    case 'ell':
      return (stored / ellSlot) * (ellSlot * valueBytes + ellSlotBytes) + (rows / 16) * 4;
    default: {
      const height = Number.parseInt(patternOf[format] as string, 10);
      return stored * valueBytes + (stored / height) * 2 + Math.ceil(rows / height) * 4;
    }
  }
}

/**
 * The time a layer takes in a format: the larger of what its arithmetic takes at the format's rate and what reading its
 * weights takes from the cache that holds them; and what laying out its inputs and outputs takes.
 */
export function predictCost(analysis: LayerAnalysis, format: WeightFormat, context: CostContext): Prediction {
  const winograd = format === 'dense' ? fasterWinograd(analysis, context) : undefined;
  return winograd ?? directCost(analysis, format, context);
}

/** Whether the convolution, dense, is predicted to be faster by Winograd's algorithm. */
export function winogradPays(analysis: LayerAnalysis, context: CostContext): boolean {
  return fasterWinograd(analysis, context) !== undefined;
}

/** The cost by Winograd's algorithm where that is less than the direct one of dense. */
function fasterWinograd(analysis: LayerAnalysis, context: CostContext): Prediction | undefined {
  const winograd = winogradCost(analysis, context);
  if (winograd === undefined) return undefined;
  return winograd.microseconds < directCost(analysis, 'dense', context).microseconds ? winograd : undefined;
}

/** Components of a tile, and the tiles that the transforms take at once. */
const winogradComponents = 36;
const winogradVector = 16;
/** Fewer tiles leave most of a vector empty, and the filters, four times as large, are read for little. */
const leastWinogradTiles = 24;
/** With fewer channels the transforms take longer than the products. */
const leastWinogradChannels = 16;

/** undefined when the algorithm does not apply. float16 filters would be rounded after their transform. */
function winogradCost(analysis: LayerAnalysis, context: CostContext): Prediction | undefined {
  const { winogradTiles: tiles = 0, batch = 1, storage = 'float32' } = context;
  const { groups, outputs, inputs } = analysis;
  const channels = inputs / 9;
  if (groups !== 1 || storage !== 'float32' || tiles < leastWinogradTiles) return undefined;
  if (Math.min(channels, outputs) < leastWinogradChannels) return undefined;
  const rates = ratesFor(context);
  const filters = winogradComponents * padded(outputs, 16) * channels;
  const rate = interpolate(rates.formats.dense['17+'], 1) * rates.winograd.productSpeed;
  const products = (2 * filters * padded(tiles, winogradVector)) / (rate * 1000);
  const transforms = (tiles * (channels * rates.winograd.input + outputs * rates.winograd.output)) / 1000;
  return { microseconds: (products + transforms) * batch, bytes: filters * 4 };
}

function ratesFor({ isa }: CostContext): IsaRates {
  return ratesOfIsa[isa] ?? (ratesOfIsa['scalar'] as IsaRates);
}

function directCost(analysis: LayerAnalysis, format: WeightFormat, context: CostContext): Prediction {
  const { n, batch = 1, taps = 1, storage = 'float32', modelWeights } = context;
  const rates = ratesFor(context);
  const { op, weights, sparsity, groups, outputs, inputs } = analysis;
  const bytes = storedBytes(analysis, format, storage);
  const tokens = tokenClass(n);
  const narrow = storageIn(format, storage) === 'float16' ? float16Speed[tokens] : 1;
  const apart = op === 'Conv' && format === 'sell' ? rates.sellInConvolution : 1;
  const rate = interpolate(rates.formats[format][tokens], 1 - sparsity) * narrow * apart;
  const starts = format === 'sell' ? groups * outputs * Math.ceil(inputs / sellColumns) * n : 0;
  const arithmetic =
    (2 * storedValues(analysis, format) * n) / (rate * 1000) + (starts * rates.sellRowStart) / 1000;
  // The other layers are taken to be as sparse as this one.
  const resident = bytes * Math.max(1, (modelWeights ?? weights) / weights);
  const level = resident <= cacheBytes.L2 ? 'L2' : resident <= cacheBytes.L3 ? 'L3' : 'memory';
  const reading = bytes / (rates.bandwidth[level] * 1000);
  const moved = n === 1 ? 0 : 4 * n * groups * (inputs / taps + outputs * (taps > 1 ? 2 : 1));
  const moving = moved / (rates.activations[op === 'Conv' ? 'convolution' : 'product'] * 1000);
  return { microseconds: (Math.max(arithmetic, reading) + moving) * batch, bytes: Math.round(bytes) };
}

export function tokenClass(n: number): TokenClass {
  const [one, few, some, many] = tokenClasses;
  return n <= 1 ? one : n <= 4 ? few : n <= 16 ? some : many;
}

/** The figure for a density; beyond the first and the last the nearest holds. */
export function interpolate(rate: Rate, density: number): number {
  if (typeof rate === 'number') return rate;
  const after = rate.findIndex(([known]) => known <= density);
  const [upper, lower] = [rate[after - 1], rate[after]];
  if (lower === undefined) return rate.at(-1)?.[1] ?? 0;
  if (upper === undefined) return lower[1];
  const share = (density - lower[0]) / (upper[0] - lower[0]);
  return lower[1] + share * (upper[1] - lower[1]);
}

/** Rows in whole groups. */
function padded(rows: number, group: number): number {
  return Math.ceil(rows / group) * group;
}

/** Share of the slots' values that are weights in `ell`: groups of M that divide a window fill it evenly. */
function slotFill({ pattern, rowBalance }: LayerAnalysis, density: number): number {
  const group = pattern === 'dense' ? undefined : keptOfEvery(pattern);
  const byPattern = group !== undefined && 32 % group.of === 0 ? 1 : interpolate(ellFill, density);
  return Math.min(byPattern, rowBalance); // the balance counts rows that are not there
}
