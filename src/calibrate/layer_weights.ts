import { floatAttribute } from '../graph/attributes.js';
import { readElements } from '../graph/data.js';
import type { Graph, Node, TensorData } from '../graph/graph.js';
import type { Layer } from '../graph/layers.js';
import { freshName, useCounts } from '../prune/uses.js';
import type { LowRank } from './low_rank.js';

/** New values of a layer: weights in (group, output, input) order, and what is added to its outputs. */
export interface LayerValues {
  readonly weights: Float32Array;
  /** [groups * outputs], before a Gemm's alpha; undefined: nothing. */
  readonly bias?: Float32Array | undefined;
  /** Of MatMul and Gemm only, before a Gemm's alpha. */
  readonly lowRank?: LowRank | undefined;
}

/**
 * A graph in which the nodes compute with new weights and biases. A weight that other nodes use too is copied: they keep
 * theirs. A bias goes into the one that the layer has, or becomes one.
 */
export function replaceLayer(
  graph: Graph,
  layer: Layer,
  nodes: readonly string[],
  values: LayerValues,
): Graph {
  const constants = new Map(graph.constants);
  const shared = (useCounts(graph).get(layer.weight) ?? 0) > nodes.length;
  const weight = shared ? freshName(graph, constants, `${layer.weight}_pruned`) : layer.weight;
  const { dims } = graph.constants.get(layer.weight) as TensorData;
  constants.set(weight, floats(dims, stored(layer, values.weights)));
  let result: Graph = { ...graph, constants };
  if (shared) result = mapNodes(result, nodes, (node) => ({ ...node, inputs: node.inputs.with(1, weight) }));
  const { bias, lowRank } = values;
  if (bias !== undefined) result = nodes.reduce((current, name) => addBias(current, name, bias), result);
  return lowRank === undefined ? result : addLowRank(result, nodes, lowRank);
}

/** y + (x down) up behind nodes that multiply x by a matrix: what the compiler makes one step with the product. */
function addLowRank(graph: Graph, names: readonly string[], { rank, down, up }: LowRank): Graph {
  const first = graph.nodes.find(({ name }) => name === names[0]) as Node;
  const weight = first.inputs[1] ?? '';
  const alpha = first.op === 'Gemm' ? floatAttribute(first, 'alpha', 1) : 1;
  const constants = new Map(graph.constants);
  const [inner, outer] = ['down', 'up'].map((part) => {
    const name = freshName(graph, constants, `${weight}_${part}`);
    constants.set(name, floats([0], new Float32Array(0))); // takes the name
    return name;
  }) as [string, string];
  constants.set(inner, floats([down.length / rank, rank], down));
  constants.set(
    outer,
    floats(
      [rank, up.length / rank],
      up.map((value) => value * alpha),
    ),
  );
  let result: Graph = { ...graph, constants };
  for (const name of names) result = withCorrection(result, name, inner, outer);
  return result;
}

function withCorrection(graph: Graph, name: string, inner: string, outer: string): Graph {
  const node = graph.nodes.find((candidate) => candidate.name === name) as Node;
  const [output = ''] = node.outputs;
  const [plain, between, correction] = ['without_correction', 'down', 'up'].map((part) =>
    freshName(graph, graph.constants, `${output}_${part}`),
  ) as [string, string, string];
  const make = (op: string, part: string, inputs: readonly string[], result: string): Node => ({
    name: freshNodeName(graph, `${name}_${part}`),
    op,
    domain: '',
    inputs,
    outputs: [result],
    attributes: new Map(),
  });
  const added = [
    { ...node, outputs: node.outputs.with(0, plain) },
    make('MatMul', 'down', [node.inputs[0] ?? '', inner], between),
    make('MatMul', 'up', [between, outer], correction),
    make('Add', 'correction', [plain, correction], output),
  ];
  return { ...graph, nodes: graph.nodes.flatMap((found) => (found.name === name ? added : [found])) };
}

/** Weights in the order of the constant, from (group, output, input) order. */
function stored({ groups, outputs, inputs, outputStride, inputStride }: Layer, ordered: Float32Array) {
  const values = new Float32Array(ordered.length);
  for (let row = 0, at = 0; row < groups * outputs; row++) {
    for (let input = 0; input < inputs; input++, at++)
      values[row * outputStride + input * inputStride] = ordered[at] as number;
  }
  return values;
}

/** y + bias for every output of a node: [outputs] along the channels of a convolution, along the last axis of a product. */
export function addBias(graph: Graph, name: string, bias: Float32Array): Graph {
  const node = graph.nodes.find((candidate) => candidate.name === name) as Node;
  const [input = '', weight = '', old = ''] = node.inputs;
  const alpha = node.op === 'Gemm' ? floatAttribute(node, 'alpha', 1) : 1;
  const beta = node.op === 'Gemm' ? floatAttribute(node, 'beta', 1) : 1;
  const before = old === '' ? new Float32Array(bias.length) : biasValues(graph, old, bias.length);
  if (node.op !== 'MatMul' && before !== undefined && beta !== 0) {
    const sum = bias.map((value, i) => (before[i] as number) + (alpha * value) / beta);
    const { graph: next, constant } = withConstant(
      graph,
      old === '' ? `${weight}_bias` : old,
      [bias.length],
      sum,
    );
    return mapNodes(next, [name], (found) => ({ ...found, inputs: [input, weight, constant] }));
  }
  return addBehind(
    graph,
    node,
    bias.map((value) => alpha * value),
  );
}

/** Adds to the constant of an Add behind the node where there is one, else puts an Add there. */
function addBehind(graph: Graph, node: Node, bias: Float32Array): Graph {
  const [output = ''] = node.outputs;
  const users = graph.nodes.filter(({ inputs }) => inputs.includes(output));
  const [user] = users;
  const at = user?.inputs[0] === output ? 1 : 0;
  const before = user === undefined ? undefined : biasValues(graph, user.inputs[at] ?? '', bias.length);
  const alone = users.length === 1 && (useCounts(graph).get(output) ?? 0) === 1;
  if (user?.op === 'Add' && user.domain === '' && alone && before !== undefined && node.op !== 'Conv') {
    const sum = bias.map((value, i) => (before[i] as number) + value);
    const { graph: next, constant } = withConstant(graph, user.inputs[at] as string, [bias.length], sum);
    return mapNodes(next, [user.name], (found) => ({ ...found, inputs: found.inputs.with(at, constant) }));
  }
  const rank = graph.constants.get(node.inputs[1] ?? '')?.dims.length ?? 0;
  const dims = node.op === 'Conv' ? [bias.length, ...new Array<number>(rank - 2).fill(1)] : [bias.length];
  const { graph: next, constant } = withConstant(graph, `${node.inputs[1]}_bias`, dims, bias);
  const inner = freshName(next, next.constants, `${output}_without_bias`);
  const add: Node = {
    name: freshNodeName(next, `${node.name}_bias`),
    op: 'Add',
    domain: '',
    inputs: [inner, constant],
    outputs: [output],
    attributes: new Map(),
  };
  const nodes = next.nodes.flatMap((found) =>
    found.name === node.name ? [{ ...found, outputs: found.outputs.with(0, inner) }, add] : [found],
  );
  return { ...next, nodes };
}

/** A constant as one value per output, undefined when it is none: [outputs] or [1, ..., outputs], or one number. */
function biasValues(graph: Graph, name: string, outputs: number): Float32Array | undefined {
  const data = graph.constants.get(name);
  if (data?.type !== 'float32') return undefined;
  const values = readElements(data) as Float32Array;
  if (values.length === 1) return new Float32Array(outputs).fill(values[0] as number);
  return values.length === outputs && data.dims.at(-1) === outputs ? values : undefined;
}

/** Sets a constant of this name when one node at most reads it, else makes a new one. */
function withConstant(graph: Graph, name: string, dims: readonly number[], values: Float32Array) {
  const free = graph.constants.has(name) && (useCounts(graph).get(name) ?? 0) <= 1;
  const constant = free ? name : freshName(graph, graph.constants, name);
  const constants = new Map(graph.constants).set(constant, floats(dims, values));
  return { graph: { ...graph, constants }, constant };
}

function mapNodes(graph: Graph, names: readonly string[], change: (node: Node) => Node): Graph {
  return { ...graph, nodes: graph.nodes.map((node) => (names.includes(node.name) ? change(node) : node)) };
}

function freshNodeName(graph: Graph, wanted: string): string {
  const taken = new Set(graph.nodes.map(({ name }) => name));
  let name = wanted;
  for (let number = 2; taken.has(name); number++) name = `${wanted}_${number}`;
  return name;
}

function floats(dims: readonly number[], values: Float32Array): TensorData {
  return {
    type: 'float32',
    dims,
    bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  };
}
