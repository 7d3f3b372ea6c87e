import { floatAttribute, intAttribute } from '../graph/attributes.js';
import { readElements } from '../graph/data.js';
import type { Graph, Node, TensorData } from '../graph/graph.js';
import { countUses, findProducers, freeName } from './uses.js';

/** y = scale * x + shift for each channel; one entry when all channels share it. */
interface ChannelAffine {
  readonly input: string;
  /** Ranks the output may have for the constants to lie along its channels; undefined: any. */
  readonly rank: number | undefined;
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

/**
 * Folds what scales and shifts the channels of a convolution's output by constants (BatchNormalization, Mul, Add, Sub,
 * Div) into its weights and bias: W' = scale W, b' = scale b + shift. Zeros stay zeros. Does not need shapes, so a
 * session does it once for all its plans.
 */
export function foldAffine(graph: Graph): Graph {
  const uses = countUses(graph);
  const producers = findProducers(graph);
  const constants = new Map(graph.constants);
  const replaced = new Map<string, Node>(); // by the output that the new convolution takes over
  const dropped = new Set<Node>();

  for (const node of graph.nodes) {
    const affine = channelAffine(graph, node);
    const output = node.outputs[0];
    if (affine === undefined || output === undefined || uses.get(affine.input) !== 1) continue;
    const producer = replaced.get(affine.input) ?? producers.get(affine.input);
    if (producer?.op !== 'Conv' || producer.domain !== '') continue;
    const folded = foldInto(producer, affine, output, constants);
    if (folded === undefined) continue;
    const original = producers.get(affine.input);
    if (original !== undefined) dropped.add(original);
    replaced.delete(affine.input);
    replaced.set(output, folded);
    dropped.add(node);
  }
  if (replaced.size === 0) return graph;
  // The folded convolution stands where its last affine node stood, so that order holds.
  const nodes = graph.nodes.flatMap((node) => {
    const folded = node.outputs[0] === undefined ? undefined : replaced.get(node.outputs[0]);
    if (folded !== undefined) return [folded];
    return dropped.has(node) ? [] : [node];
  });
  return { ...graph, nodes, constants };
}

function foldInto(
  conv: Node,
  affine: ChannelAffine,
  output: string,
  constants: Map<string, TensorData>,
): Node | undefined {
  const [x = '', weightName = '', biasName = ''] = conv.inputs;
  const weight = constants.get(weightName);
  const bias = constants.get(biasName);
  const channels = weight?.dims[0];
  if (weight === undefined || channels === undefined || weight.type !== 'float32') return undefined;
  if (biasName !== '' && bias === undefined) return undefined;
  const [scale, shift] = [affine.scale, affine.shift].map((values) =>
    values.length === 1 ? new Array<number>(channels).fill(values[0] ?? 0) : values,
  ) as [number[], number[]];
  if (scale.length !== channels || shift.length !== channels) return undefined;
  if (![...scale, ...shift].every(Number.isFinite)) return undefined; // 0 times infinity is no zero
  if (affine.rank !== undefined && affine.rank !== weight.dims.length) return undefined;

  const weights = readElements(weight) as Float32Array;
  const perChannel = weights.length / channels;
  const newWeights = weights.map((w, i) => w * (scale[Math.floor(i / perChannel)] ?? 0));
  const biases = bias === undefined ? new Float32Array(channels) : (readElements(bias) as Float32Array);
  const newBiases = biases.map((b, i) => b * (scale[i] ?? 0) + (shift[i] ?? 0));
  const newWeightName = freeName(`espalier/${output}/weight`, constants);
  const newBiasName = freeName(`espalier/${output}/bias`, constants);
  constants.set(newWeightName, float32Constant(weight.dims, newWeights));
  constants.set(newBiasName, float32Constant([channels], newBiases));
  return { ...conv, inputs: [x, newWeightName, newBiasName], outputs: [output] };
}

function channelAffine(graph: Graph, node: Node): ChannelAffine | undefined {
  if (node.domain !== '') return undefined;
  if (node.op === 'BatchNormalization') return batchNormalization(graph, node);
  if (node.op !== 'Mul' && node.op !== 'Add' && node.op !== 'Sub' && node.op !== 'Div') return undefined;
  const [a = '', b = ''] = node.inputs;
  const right = channelValues(graph.constants.get(b));
  if (right !== undefined) {
    const { values, rank } = right;
    if (node.op === 'Mul') return { input: a, rank, scale: values, shift: [0] };
    if (node.op === 'Div') return { input: a, rank, scale: values.map((v) => 1 / v), shift: [0] };
    return { input: a, rank, scale: [1], shift: node.op === 'Add' ? values : values.map((v) => -v) };
  }
  const left = channelValues(graph.constants.get(a));
  if (left === undefined || node.op === 'Div') return undefined;
  const { values, rank } = left;
  if (node.op === 'Mul') return { input: b, rank, scale: values, shift: [0] };
  return { input: b, rank, scale: [node.op === 'Add' ? 1 : -1], shift: values };
}

/** Values of a constant that broadcasts as one number per channel: [C, 1, 1] or [1, C, 1, 1] over rank 4, or one number. */
function channelValues(
  data: TensorData | undefined,
): { values: readonly number[]; rank: number | undefined } | undefined {
  if (data?.type !== 'float32') return undefined;
  const { dims } = data;
  if (dims.length <= 3 && dims.every((dim) => dim === 1)) return { values: floats(data), rank: undefined };
  const ones = (list: readonly number[]) => list.every((dim) => dim === 1);
  for (const rank of [3, 4]) {
    const channel = dims.length - (rank - 1); // the channel axis of the output is 1
    if ((channel === 0 || channel === 1) && ones(dims.slice(0, channel)) && ones(dims.slice(channel + 1))) {
      return { values: floats(data), rank };
    }
  }
  return undefined;
}

function batchNormalization(graph: Graph, node: Node): ChannelAffine | undefined {
  if (intAttribute(node, 'training_mode', 0) !== 0) return undefined;
  const [input = '', ...names] = node.inputs;
  const parameters = names.map((name) => graph.constants.get(name));
  if (parameters.length !== 4 || parameters.some((data) => data?.type !== 'float32')) return undefined;
  const [gamma, beta, mean, variance] = parameters.map((data) => floats(data as TensorData)) as [
    number[],
    number[],
    number[],
    number[],
  ];
  if (new Set([gamma.length, beta.length, mean.length, variance.length]).size !== 1) return undefined;
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const scale = gamma.map((g, i) => g / Math.sqrt((variance[i] ?? 0) + epsilon));
  const shift = beta.map((b, i) => b - (mean[i] ?? 0) * (scale[i] ?? 0));
  return { input, rank: undefined, scale, shift };
}

function floats(data: TensorData): number[] {
  return Array.from(readElements(data) as Float32Array);
}

function float32Constant(dims: readonly number[], values: Float32Array): TensorData {
  return { type: 'float32', dims, bytes: new Uint8Array(values.buffer) };
}
