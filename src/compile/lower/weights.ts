import type { Node, StaticGraph, TensorData } from '../../graph/graph.js';
import { findLayers, type Layer } from '../../graph/layers.js';
import type { StepSpec } from '../../native/addon.js';
import { analyzeLayer, type LayerAnalysis } from '../../sparse/analyze.js';
import { type PlanBuilder, unsupported, type WeightMatrix } from '../builder.js';

/** The step that a layer becomes, as far as its speed depends on it. */
export interface LayerStep {
  readonly op: 'matmul' | 'conv2d';
  /** Dims of x and y, as the step reads them. */
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** The window of a convolution, `n` of a product. */
  readonly ints: StepSpec['ints'];
}

/** Packs each group's matrix of a node's weight in the format that its zeros pay for. */
export function packLayer(builder: PlanBuilder, node: Node, step: LayerStep): number[] {
  return packMatrices(builder, layerOf(builder, node, 1), step);
}

/** The layer of a node whose weight is the given input. */
export function layerOf(builder: PlanBuilder, node: Node, input: number): Layer {
  const layers = findLayers({ ...builder.graph, nodes: [node] });
  const layer = layers.find((one) => one.input === input);
  if (layer === undefined) throw unsupported(node, 'a weight that is no float32 constant');
  return layer;
}

/**
 * {@link packLayer} for a layer that is known.
 * @param step what the layer, or its first matrix, becomes
 * @param parts the layer's matrices where these are not its groups
 */
export function packMatrices(
  builder: PlanBuilder,
  layer: Layer,
  step: LayerStep,
  parts?: readonly Omit<WeightMatrix, 'data'>[],
): number[] {
  const data = builder.graph.constants.get(layer.weight) as TensorData;
  const matrices = parts?.map((part) => ({ data, ...part })) ?? matricesOf(layer, data);
  const { n, batch } = tokensOf(step);
  const analysis = analysisOf(builder.graph, layer, data);
  const timed = step.op === 'matmul' ? matrices.slice(0, 1) : matrices;
  const choice = builder.weights.choose({ analysis, n, batch, step, matrices: timed });
  const ids = matrices.map((matrix) => builder.weights.pack(matrix, choice.format, choice.storage));
  builder.layers.push({ name: layer.name, op: layer.op, analysis, n, batch, choice, weights: ids });
  return ids;
}

function matricesOf({ groups, outputs, inputs, outputStride, inputStride }: Layer, data: TensorData) {
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

function analysisOf(graph: StaticGraph, layer: Layer, data: TensorData): LayerAnalysis {
  const analyses = known.get(data) ?? new Map<string, LayerAnalysis>();
  known.set(data, analyses);
  const key = [
    layer.op,
    layer.groups,
    layer.outputs,
    layer.inputs,
    layer.outputStride,
    layer.inputStride,
  ].join();
  const analysis = analyses.get(key) ?? analyzeLayer(graph, layer);
  analyses.set(key, analysis);
  return analysis;
}
