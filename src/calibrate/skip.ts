import { floatAttribute } from '../graph/attributes.js';
import { readElements } from '../graph/data.js';
import type { Graph, Node } from '../graph/graph.js';
import type { Layer } from '../graph/layers.js';
import { useCounts } from '../prune/uses.js';
import type { Tensor } from '../tensor.js';

/**
 * What is added to the outputs of a layer before anything else happens to them but an affine map of each: the stream of
 * a residual network.
 */
export interface Skip {
  /** Name of the value. */
  readonly value: string;
  /** [groups * outputs]: what each output is multiplied by before. */
  readonly scale: Float64Array;
}

/** The skip that a layer's outputs are added to, undefined when there is none. */
export function findSkip(graph: Graph, layer: Layer): Skip | undefined {
  const uses = useCounts(graph);
  const node = graph.nodes.find(({ name }) => name === layer.node) as Node;
  const alpha = layer.op === 'Gemm' ? floatAttribute(node, 'alpha', 1) : 1;
  let scale = new Float64Array(layer.groups * layer.outputs).fill(alpha);
  for (let value = node.outputs[0] ?? ''; ; ) {
    const reader =
      uses.get(value) === 1 ? graph.nodes.find(({ inputs }) => inputs.includes(value)) : undefined;
    if (reader === undefined || reader.domain !== '') return undefined;
    const factors = factorsOf(graph, reader, value, layer);
    if (factors !== undefined) {
      scale = scale.map((factor, i) => factor * (factors[i] as number));
      value = reader.outputs[0] ?? '';
      continue;
    }
    const other = otherInput(reader, value);
    return reader.op === 'Add' && !graph.constants.has(other) ? { value: other, scale } : undefined;
  }
}

/** What a node multiplies each output of a layer by; undefined when it does more than scale and shift them. */
function factorsOf(graph: Graph, node: Node, value: string, layer: Layer): Float64Array | undefined {
  const ones = () => new Float64Array(layer.groups * layer.outputs).fill(1);
  switch (node.op) {
    case 'Identity':
      return ones();
    case 'Add':
      return numbersOf(graph, layer, otherInput(node, value)) && ones();
    case 'Mul':
      return numbersOf(graph, layer, otherInput(node, value));
    case 'BatchNormalization': {
      const gamma = graph.constants.get(node.inputs[1] ?? '');
      const variance = graph.constants.get(node.inputs[4] ?? '');
      if (layer.op !== 'Conv' || node.inputs[0] !== value || gamma === undefined || variance === undefined)
        return undefined;
      const squares = readElements(variance);
      const epsilon = floatAttribute(node, 'epsilon', 1e-5);
      return Float64Array.from(readElements(gamma) as ArrayLike<number>, (one, i) => {
        return one / Math.sqrt(Number(squares[i]) + epsilon);
      });
    }
    default:
      return undefined;
  }
}

function otherInput({ inputs }: Node, value: string): string {
  return inputs[inputs[0] === value ? 1 : 0] ?? '';
}

/** A constant as one number for each output of a layer, if it is that: one number, or all along the axis of outputs. */
function numbersOf(graph: Graph, { op, groups, outputs, weight }: Layer, name: string) {
  const data = graph.constants.get(name);
  if (data?.type !== 'float32') return undefined;
  const values = readElements(data) as Float32Array;
  if (values.length === 1) return new Float64Array(groups * outputs).fill(values[0] as number);
  const axis = op === 'Conv' ? 1 - (graph.constants.get(weight)?.dims.length ?? 0) : -1;
  const isPerOutput = values.length === groups * outputs && data.dims.at(axis) === values.length;
  return isPerOutput ? Float64Array.from(values) : undefined;
}

/** An output whose scale is this share of the largest gives the stream next to nothing, and can make up for nothing. */
const negligible = 1e-6;
const tiny = 1e-30;

/**
 * Writes (dense - now) / scale of the chosen rows of one group to `out`, at `first` of every `stride` numbers: what the
 * layer has to add so that the sum is that of the dense network. Zeros where the skip is broadcast, or scaled by 0.
 * Rows are counted as {@link LayerRows} counts them: `count` of them.
 */
export function readCorrections(
  { scale }: Skip,
  layer: Layer,
  group: number,
  { now, dense, count }: { readonly now: Tensor; readonly dense: Tensor; readonly count: number },
  chosen: Uint32Array,
  { out, first, stride }: { readonly out: Float32Array; readonly first: number; readonly stride: number },
): void {
  const { outputs, groups, op } = layer;
  const channels = groups * outputs;
  const [a, b] = [now.data, dense.data];
  const fits =
    a instanceof Float32Array &&
    b instanceof Float32Array &&
    a.length === count * channels &&
    (op === 'Conv' ? now.dims[1] : now.dims.at(-1)) === channels;
  const plane = op === 'Conv' ? now.dims.slice(2).reduce((product, dim) => product * dim, 1) : 1;
  const least = scale.reduce((most, factor) => Math.max(most, negligible * Math.abs(factor)), tiny);
  chosen.forEach((row, i) => {
    const start = Math.floor(row / plane) * channels * plane + (row % plane) + group * outputs * plane;
    for (let output = 0; output < outputs; output++) {
      const factor = scale[group * outputs + output] as number;
      const at = start + output * plane;
      out[i * stride + first + output] =
        fits && Math.abs(factor) > least ? ((b[at] as number) - (a[at] as number)) / factor : 0;
    }
  });
}
