import { intAttribute } from './attributes.js';
import type { Graph, Node } from './graph.js';

/**
 * A node with a constant weight that acts as `groups` matrices of [outputs, inputs] each: Conv, Gemm, MatMul.
 * Element (g, o, i) lies at `(g * outputs + o) * outputStride + i * inputStride` of the weight constant.
 */
export interface Layer {
  /** The node's name. */
  readonly name: string;
  readonly op: 'Conv' | 'Gemm' | 'MatMul';
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
 * The prunable layers of a graph, in node order: every Conv, Gemm and MatMul of the default domain whose second input
 * is a non-empty float32 constant of the right rank. A weight that several nodes share appears once per node.
 * A node whose weight does not fit its operator is no layer; shape inference reports it when the graph is compiled.
 * @throws EspalierError ERR_ESPALIER_MODEL when `group` or `transB` is not an integer.
 */
export function findLayers(graph: Graph): Layer[] {
  return graph.nodes.flatMap((node) => {
    const layer = layerOf(graph, node);
    return layer === undefined ? [] : [layer];
  });
}

/** Whether a layer is a convolution with one input channel for each of several groups. */
export function isDepthwise(graph: Graph, layer: Layer): boolean {
  return layer.op === 'Conv' && layer.groups > 1 && graph.constants.get(layer.weight)?.dims[1] === 1;
}

function layerOf(graph: Graph, node: Node): Layer | undefined {
  const { op, domain } = node;
  if (domain !== '' || (op !== 'Conv' && op !== 'Gemm' && op !== 'MatMul')) return undefined;
  const weight = node.inputs[1] ?? '';
  const data = graph.constants.get(weight);
  if (data === undefined || data.type !== 'float32' || data.dims.includes(0)) return undefined;
  const matrices =
    op === 'Conv'
      ? convMatrices(data.dims, intAttribute(node, 'group', 1))
      : productMatrices(data.dims, op === 'Gemm' && intAttribute(node, 'transB', 0) !== 0);
  return matrices === undefined ? undefined : { name: node.name, op, weight, ...matrices };
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
