import type { Node, TensorData } from '../../graph/graph.js';
import { findLayers, type Layer } from '../../graph/layers.js';
import type { StepSpec } from '../../native/addon.js';
import { analyzeLayer, type LayerAnalysis } from '../../sparse/analyze.js';
import type { FormatChoice } from '../../sparse/format.js';
import { type PlanBuilder, unsupported, type WeightMatrix } from '../builder.js';

/** The step that a layer becomes, as far as its speed depends on it. */
export interface LayerStep {
  readonly op: 'matmul' | 'conv2d';
  /** Dims of x and y, as the step reads them. */
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** The window of a convolution, `n` of a product. */
  readonly ints: StepSpec['ints'];
  /** See {@link CostContext}. */
  readonly taps?: number | undefined;
  readonly winogradTiles?: number | undefined;
  /** What is left of a convolution whose other channels are skipped, for people. */
  readonly selected?: string | undefined;
}

/** What a layer runs on: the native operator, and the ids of its packed weights. */
export interface PackedLayer {
  readonly op: string;
  readonly weights: number[];
}

/** How a layer runs in a format: a dense convolution may run by Winograd's algorithm. */
export function algorithmOf(
  { op }: LayerStep,
  { format, winograd }: Pick<FormatChoice, 'format' | 'winograd'>,
): { readonly op: string; readonly winograd: boolean } {
  return format === 'dense' && winograd ? { op: 'winograd_conv2d', winograd } : { op, winograd: false };
}

/** The layer of a node whose weight is the given input. */
export function layerOf(builder: PlanBuilder, node: Node, input: number): Layer {
  const layers = findLayers({ ...builder.graph, nodes: [node] });
  const layer = layers.find((one) => one.input === input);
  if (layer === undefined) throw unsupported(node, 'a weight that is no float32 constant');
  return layer;
}

/**
 * Packs each group's matrix of a layer's weight in the format that its zeros pay for.
 * @param step what the layer, or its first matrix, becomes
 * @param parts the layer's matrices where these are not its groups
 */
export function packMatrices(
  builder: PlanBuilder,
  layer: Layer,
  step: LayerStep,
  parts?: readonly Omit<WeightMatrix, 'data'>[],
): PackedLayer {
  const data = weightOf(builder, layer);
  const matrices = parts?.map((part) => ({ data, ...part })) ?? matricesOf(layer, data);
  const { n, batch } = tokensOf(step);
  const analysis = analysisOf(builder, layer);
  const timed = step.op === 'matmul' ? matrices.slice(0, 1) : matrices;
  const choice = builder.weights.choose({ analysis, n, batch, step, matrices: timed });
  const { op, winograd } = algorithmOf(step, choice);
  const weights = matrices.map((matrix) =>
    builder.weights.pack(matrix, { format: choice.format, storage: choice.storage, winograd }),
  );
  const { taps, winogradTiles, selected } = step;
  const reason = selected === undefined ? choice.reason : `${selected}; ${choice.reason}`;
  const request = { analysis, n, batch, choice: { ...choice, reason }, taps, winogradTiles };
  builder.layers.push({ name: layer.name, op: layer.op, ...request, weights });
  return { op, weights };
}

/** The weight of a layer: the model's, or one that the compiler made. */
function weightOf(builder: PlanBuilder, { weight }: Layer): TensorData {
  return (builder.graph.constants.get(weight) ?? builder.constants.get(weight)) as TensorData;
}

/** The matrices of a layer in its weight, one for each group. */
export function matricesOf({ groups, outputs, inputs, outputStride, inputStride }: Layer, data: TensorData) {
  return Array.from(
    { length: groups },
    (_, group): WeightMatrix => ({
      data,
      rows: outputs,
      cols: inputs,
      offset: group * outputs * outputStride,
      rowStride: outputStride,
      colStride: inputStride,
    }),
  );
}

/** A convolution passes over its weights once for each image, with the image's output pixels as tokens. */
function tokensOf({ op, y, ints }: LayerStep): { n: number; batch: number } {
  if (op === 'matmul') return { n: Number(ints['n']), batch: 1 };
  const [batch = 1, , height = 1, width = 1] = y;
  return { n: height * width, batch };
}

/** Analyses that were made, by weight: a plan for other shapes need not count the zeros again. */
const known = new WeakMap<TensorData, Map<string, LayerAnalysis>>();

export function analysisOf(builder: PlanBuilder, layer: Layer): LayerAnalysis {
  const data = weightOf(builder, layer);
  const stored = builder.weights.analysisOf?.(layer, data);
  if (stored !== undefined) return stored;
  const analyses = known.get(data) ?? new Map<string, LayerAnalysis>();
  known.set(data, analyses);
  const { op, groups, outputs, inputs, outputStride, inputStride } = layer;
  const key = [op, groups, outputs, inputs, outputStride, inputStride].join();
  const graph = { ...builder.graph, constants: new Map([[layer.weight, data]]) };
  const analysis = analyses.get(key) ?? analyzeLayer(graph, layer);
  analyses.set(key, analysis);
  return analysis;
}
