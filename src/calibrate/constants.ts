import { availableParallelism } from 'node:os';
import { EspalierError } from '../errors.js';
import { randomFeeds } from '../evaluate/feeds.js';
import { readElements } from '../graph/data.js';
import type { Graph, TensorData } from '../graph/graph.js';
import { findLayers, type Layer } from '../graph/layers.js';
import { matchPlan } from '../prune/structured/apply.js';
import { findFactors } from '../prune/structured/factors.js';
import type { StructuredPlan } from '../prune/structured/plan.js';
import { orderedWeights } from '../sparse/weights.js';
import type { Tensor } from '../tensor.js';
import { forEachSample } from './collect.js';
import { addBias } from './layer_weights.js';
import type { Samples } from './samples.js';

/** What the channels of a value are on data. */
interface ChannelMeans {
  readonly sums: Float64Array;
  readonly least: Float64Array;
  readonly most: Float64Array;
  count: number;
}

/** A layer that takes channels which a plan removes. */
interface Consumer {
  readonly layer: Layer;
  /** The value it reads, and the indices of its channels that go. */
  readonly value: string;
  readonly gone: readonly number[];
}

/** Random inputs that a channel must not depend on to count as constant. */
const probes = 2;
/** A channel that varies by no more than this share of its size is constant; float32 sums are not exact. */
const constancy = 1e-3;

/**
 * The graph with what the channels that a plan removes give on average added to the biases of the layers that take
 * them, W[:, removed] E[x_removed], so that less is lost than by dropping them. Pruning this graph by the same plan is
 * the next step.
 *
 * With samples the averages are those on data, as in Y. An et al., "Fluctuation-based Adaptive Structured Pruning",
 * 2024 (arXiv 2312.11983). Without, a channel counts as what its batch normalisations give for a filter of zero, their
 * shift, through everything behind them: Z. Liu et al., "Network Slimming", 2017 (arXiv 1708.06519), right but for
 * padded borders; channels that no batch normalisation decides are dropped as they were.
 * @returns a graph in the operators of opset 21, as pruning gives it
 * @throws EspalierError as `applyStructuredPruning`, and those of sessions
 */
export async function pushConstants(
  graph: Graph,
  plan: StructuredPlan,
  samples: Samples = [],
  threads = availableParallelism(),
): Promise<Graph> {
  const { analysis, orders, shapes } = matchPlan(graph, plan);
  const removed = removedIndices(orders);
  const consumers = findConsumers(analysis.graph, removed);
  const values = [...new Set(consumers.map(({ value }) => value))];
  const byData = samples.length > 0;
  const run = byData ? analysis.graph : withoutScales(analysis.graph, removed);
  const inputs = byData
    ? samples
    : Array.from({ length: probes }, (_, seed) =>
        randomFeeds(graph.inputs, { shapes: new Map(Object.entries(shapes)), seed }),
      );
  const axes = new Map(consumers.map(({ value, layer }) => [value, layer.op === 'Conv' ? 1 : -1]));
  const means = new Map<string, ChannelMeans>();
  await forEachSample(run, values, inputs, threads, (found) => {
    for (const value of values) {
      const tensor = found.get(value) as Tensor;
      means.set(value, addTensor(means.get(value), tensor, axes.get(value) ?? -1));
    }
  });
  return consumers.reduce((current, consumer) => {
    const bias = biasOf(analysis.graph, consumer, means.get(consumer.value) as ChannelMeans, byData);
    if (!bias.every(Number.isFinite))
      throw new EspalierError(
        'ERR_ESPALIER_INPUT',
        `Expected finite inputs of layer "${consumer.layer.name}" on the data, got NaN or infinity`,
      );
    return bias.some((value) => value !== 0) ? addBias(current, consumer.layer.node, bias) : current;
  }, analysis.graph);
}

/** The indices that go, by axis and name of the value: `1 weight`. */
function removedIndices(orders: ReturnType<typeof matchPlan>['orders']): Map<string, number[]> {
  const removed = new Map<string, number[]>();
  for (const [group, kept] of orders) {
    const stays = new Set(kept);
    for (const { value, axis, perUnit, indices } of group.axes) {
      const key = `${axis} ${value}`;
      const gone = indices.filter((_, i) => !stays.has(Math.floor(i / perUnit)));
      removed.set(key, [...(removed.get(key) ?? []), ...gone]);
    }
  }
  return removed;
}

/** Products, and convolutions of one group: of others a channel goes with its outputs, or of every group one. */
function findConsumers(graph: Graph, removed: ReadonlyMap<string, readonly number[]>): Consumer[] {
  const factors = new Map(findFactors(graph).map((factor) => [factor.node.name, factor]));
  return findLayers(graph).flatMap((layer): Consumer[] => {
    const factor = factors.get(layer.node);
    if (factor === undefined || layer.groups !== 1) return [];
    const gone = removed.get(`${factor.inputAxis} ${layer.weight}`) ?? [];
    return gone.length > 0 ? [{ layer, value: factor.node.inputs[0] ?? '', gone }] : [];
  });
}

/** The graph whose batch normalisations give their shift alone for the channels that go. */
function withoutScales(graph: Graph, removed: ReadonlyMap<string, readonly number[]>): Graph {
  const constants = new Map(graph.constants);
  for (const { op, domain, inputs } of graph.nodes) {
    if (op !== 'BatchNormalization' || domain !== '') continue;
    const name = inputs[1] ?? '';
    const data = constants.get(name);
    const gone = removed.get(`0 ${name}`);
    if (data?.type !== 'float32' || gone === undefined) continue;
    const scales = Float32Array.from(readElements(data) as Float32Array);
    for (const index of gone) scales[index] = 0;
    constants.set(name, { ...data, bytes: new Uint8Array(scales.buffer) });
  }
  return { ...graph, constants };
}

/** Adds the elements of a tensor, channel by channel; `axis` -1 is the last one. */
function addTensor(known: ChannelMeans | undefined, { data, dims }: Tensor, axis: number): ChannelMeans {
  const at = axis < 0 ? dims.length + axis : axis;
  const size = dims[at] ?? 1;
  const stride = dims.slice(at + 1).reduce((product, dim) => product * dim, 1);
  const means = known ?? {
    sums: new Float64Array(size),
    least: new Float64Array(size).fill(Number.POSITIVE_INFINITY),
    most: new Float64Array(size).fill(Number.NEGATIVE_INFINITY),
    count: 0,
  };
  for (let i = 0; i < data.length; i++) {
    const channel = Math.floor(i / stride) % size;
    const value = Number(data[i]);
    means.sums[channel] = (means.sums[channel] as number) + value;
    means.least[channel] = Math.min(means.least[channel] as number, value);
    means.most[channel] = Math.max(means.most[channel] as number, value);
  }
  means.count += data.length / size;
  return means;
}

/** W[:, removed] E[x_removed]: [outputs]. Without data only channels that are constant count. */
function biasOf(
  graph: Graph,
  { layer, gone }: Consumer,
  { sums, least, most, count }: ChannelMeans,
  byData: boolean,
): Float32Array {
  const weights = orderedWeights(graph, layer);
  const dims = (graph.constants.get(layer.weight) as TensorData).dims;
  const taps = layer.op === 'Conv' ? dims.slice(2).reduce((product, dim) => product * dim, 1) : 1;
  const bias = new Float64Array(layer.outputs);
  for (const channel of gone) {
    const [low, high] = [least[channel] as number, most[channel] as number];
    const isConstant = high - low <= constancy * Math.max(Math.abs(low), Math.abs(high));
    if (!byData && !isConstant) continue;
    const mean = (sums[channel] as number) / count;
    for (let output = 0; output < layer.outputs; output++)
      for (let tap = 0; tap < taps; tap++) {
        const weight = weights[output * layer.inputs + channel * taps + tap] as number;
        bias[output] = (bias[output] as number) + weight * mean;
      }
  }
  return Float32Array.from(bias);
}
