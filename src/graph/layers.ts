import { intAttribute } from './attributes.js';
import type { Graph, Node } from './graph.js';

/** Operators with weights to prune. */
export const layerOperators = ['Conv', 'Gemm', 'MatMul', 'LSTM', 'GRU', 'RNN'] as const;

/**
 * A constant weight of a node that acts as `groups` matrices of [outputs, inputs] each: of Conv, Gemm, MatMul, and the
 * two of LSTM, GRU and RNN, whose groups are the directions.
 * Element (g, o, i) lies at `(g * outputs + o) * outputStride + i * inputStride` of the weight constant.
 */
export interface Layer {
  /** The node's name, with `.W` or `.R` behind it where the node has two weights. */
  readonly name: string;
  readonly node: string;
  readonly op: (typeof layerOperators)[number];
  /** Which input of the node the weight is. */
  readonly input: number;
  /** Name of the weight constant. */
  readonly weight: string;
  readonly groups: number;
  /** Outputs of one group. */
  readonly outputs: number;
  /** Inputs of one group: for Conv, channels x kernel taps. */
  readonly inputs: number;
  readonly outputStride: number;
  readonly inputStride: number;
}

type Matrices = Pick<Layer, 'groups' | 'outputs' | 'inputs' | 'outputStride' | 'inputStride'>;

/**
 * The prunable layers of a graph, in node order: every Conv, Gemm, MatMul, LSTM, GRU and RNN of the default domain whose
 * weights are non-empty float32 constants of the right rank. A weight that several nodes share appears once per node.
 * A node whose weight does not fit its operator is no layer; shape inference reports it when the graph is compiled.
 * @throws EspalierError ERR_ESPALIER_MODEL when `group` or `transB` is not an integer.
 */
export function findLayers(graph: Graph): Layer[] {
  return graph.nodes.flatMap((node) => layersOf(graph, node));
}

/** The number of weights of all layers. */
export function layerWeights(graph: Graph): number {
  return findLayers(graph).reduce((sum, { groups, outputs, inputs }) => sum + groups * outputs * inputs, 0);
}

/** Whether a layer is a convolution with one input channel for each of several groups. */
export function isDepthwise(graph: Graph, layer: Layer): boolean {
  return layer.op === 'Conv' && layer.groups > 1 && graph.constants.get(layer.weight)?.dims[1] === 1;
}

function layersOf(graph: Graph, node: Node): Layer[] {
  const op = layerOperators.find((known) => known === node.op);
  if (op === undefined || node.domain !== '') return [];
  const isRecurrent = op === 'LSTM' || op === 'GRU' || op === 'RNN';
  const layers: Layer[] = [];
  for (const input of isRecurrent ? [1, 2] : [1]) {
    const weight = node.inputs[input] ?? '';
    const data = graph.constants.get(weight);
    if (data === undefined || data.type !== 'float32' || data.dims.includes(0)) continue;
    const matrices = isRecurrent ? gateMatrices(data.dims) : matricesOf(node, data.dims);
    const name = isRecurrent ? `${node.name}.${input === 1 ? 'W' : 'R'}` : node.name;
    if (matrices !== undefined) layers.push({ name, node: node.name, op, input, weight, ...matrices });
  }
  return layers;
}

function matricesOf(node: Node, dims: readonly number[]): Matrices | undefined {
  if (node.op === 'Conv') return convMatrices(dims, intAttribute(node, 'group', 1));
  return productMatrices(dims, node.op === 'Gemm' && intAttribute(node, 'transB', 0) !== 0);
}

/** Weights of recurrent operators are [directions, gates * hidden, inputs]. */
function gateMatrices(dims: readonly number[]): Matrices | undefined {
  const [groups, outputs, inputs] = dims;
  if (groups === undefined || outputs === undefined || inputs === undefined || dims.length !== 3)
    return undefined;
  return { groups, outputs, inputs, outputStride: inputs, inputStride: 1 };
}

/** Conv weights are [groups * outputs, channels of one group, ...kernel]. */
function convMatrices(dims: readonly number[], groups: number): Matrices | undefined {
  const [allOutputs, ...perOutput] = dims;
  if (allOutputs === undefined || dims.length < 3 || groups < 1 || allOutputs % groups !== 0)
    return undefined;
  const inputs = perOutput.reduce((product, dim) => product * dim, 1);
  return { groups, outputs: allOutputs / groups, inputs, outputStride: inputs, inputStride: 1 };
}

/** Gemm and MatMul weights are [inputs, outputs], or [outputs, inputs] when transposed. */
function productMatrices(dims: readonly number[], transposed: boolean): Matrices | undefined {
  const [rows, columns] = dims;
  if (rows === undefined || columns === undefined || dims.length !== 2) return undefined;
  return transposed
    ? { groups: 1, outputs: rows, inputs: columns, outputStride: columns, inputStride: 1 }
    : { groups: 1, outputs: columns, inputs: rows, outputStride: 1, inputStride: columns };
}
