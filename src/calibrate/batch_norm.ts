import { EspalierError } from '../errors.js';
import { floatAttribute } from '../graph/attributes.js';
import { readElements } from '../graph/data.js';
import type { Graph, Node, TensorData } from '../graph/graph.js';
import { freshName, useCounts } from '../prune/uses.js';
import type { Tensor } from '../tensor.js';
import type { Samples } from './samples.js';
import { keptBytes, SampleWalk } from './walk.js';

export interface RecalibrateOptions {
  readonly threads: number;
  /**
   * The network before it was pruned. Then batch normalisations give on the samples what theirs do in it, even where the
   * samples differ from what it was trained on. Default: none, and they take over the statistics of the samples.
   */
  readonly reference?: Graph | undefined;
  /** See {@link CalibratedOptions}. */
  readonly activationBytes?: number | undefined;
  /** Called with the share of the work that is done, in [0, 1]. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

/**
 * A graph whose batch normalisations have statistics of what they see on the samples, one after the other, each behind
 * those that have theirs already. After pruning that brings outputs back to the scale that the next layers know, with no
 * weight changed.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for a graph without a BatchNormalization of constant statistics,
 *   ERR_ESPALIER_INPUT for values that are not finite
 */
export async function recalibrateBatchNorm(
  graph: Graph,
  samples: Samples,
  { threads, reference, activationBytes, onProgress }: RecalibrateOptions,
): Promise<Graph> {
  const nodes = graph.nodes.filter((node) => isRecalibrated(graph, node));
  if (nodes.length === 0) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected a graph with BatchNormalization nodes to recalibrate, got "${graph.name}" without one; exporters often fold them into weights`,
    );
  }
  const stops = nodes.map(({ name, inputs }) => ({ views: [inputs[0] ?? ''], nodes: [name] }));
  const keep = activationBytes ?? keptBytes(graph);
  const walk = new SampleWalk(graph, samples, stops, { threads, keep, free: true });
  let result = graph;
  for (const [i, node] of nodes.entries()) {
    const tracks = reference === undefined ? [result] : [result, reference];
    const moments = tracks.map(
      () => new ChannelMoments(graph.constants.get(node.inputs[3] ?? '')?.dims[0] ?? 0),
    );
    await walk.at(i, tracks, (seen) => {
      for (const [track, own] of moments.entries()) own.add(seen[track]?.get(node.inputs[0] ?? '') as Tensor);
    });
    const [now, before] = moments.map((own) => own.finish(node.name)) as [Statistics, Statistics?];
    const statistics = before === undefined ? now : transferred(graph, node, now, before);
    result = withStatistics(result, node.name, statistics);
    onProgress?.((i + 1) / nodes.length);
  }
  return result;
}

/** Of every channel. */
interface Statistics {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/**
 * The statistics with which a node does to values with those of `now` what it did to values with those of `before`:
 * normalising with (m, v) after the affine map that brings `now` to `before`. Nothing changes where they are equal.
 */
function transferred(graph: Graph, node: Node, now: Statistics, before: Statistics): Statistics {
  const [mean, variance] = [3, 4].map((i) => {
    return readElements(graph.constants.get(node.inputs[i] ?? '') as TensorData) as Float32Array;
  }) as [Float32Array, Float32Array];
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const ratio = now.variance.map((value, i) => {
    const old = before.variance[i] as number;
    return old > 0 && value > 0 ? value / old : 1; // of a constant nothing is known
  });
  return {
    mean: now.mean.map((value, i) => {
      return value - ((before.mean[i] as number) - (mean[i] as number)) * Math.sqrt(ratio[i] as number);
    }),
    variance: ratio.map((factor, i) => Math.max(0, ((variance[i] as number) + epsilon) * factor - epsilon)),
  };
}

/** Statistics that are float32 constants; a node in training mode has its own. */
function isRecalibrated(graph: Graph, { op, domain, inputs, attributes }: Node): boolean {
  const training = attributes.get('training_mode');
  const [mean, variance] = [inputs[3], inputs[4]].map((name) => graph.constants.get(name ?? ''));
  return (
    op === 'BatchNormalization' &&
    domain === '' &&
    !(training?.kind === 'int' && training.value !== 0n) &&
    mean?.type === 'float32' &&
    variance?.type === 'float32'
  );
}

/** Mean and variance of every channel of [batch, channels, ...], by Welford's update over planes (T. Chan et al., 1979). */
class ChannelMoments {
  #count = 0;
  readonly #means: Float64Array;
  readonly #squares: Float64Array; // of differences from the mean

  constructor(channels: number) {
    this.#means = new Float64Array(channels);
    this.#squares = new Float64Array(channels);
  }

  add({ data, dims: [batch = 0, channels = 0, ...spatial] }: Tensor): void {
    const plane = spatial.reduce((product, dim) => product * dim, 1);
    for (let image = 0; image < batch && plane > 0; image++) {
      const total = this.#count + plane;
      for (let channel = 0; channel < channels; channel++) {
        const start = (image * channels + channel) * plane;
        let sum = 0;
        for (let i = start; i < start + plane; i++) sum += Number(data[i]);
        const mean = sum / plane;
        let squares = 0;
        for (let i = start; i < start + plane; i++) squares += (Number(data[i]) - mean) ** 2;
        const shift = mean - (this.#means[channel] as number);
        this.#means[channel] = (this.#means[channel] as number) + (shift * plane) / total;
        this.#squares[channel] =
          (this.#squares[channel] as number) + squares + (shift * shift * this.#count * plane) / total;
      }
      this.#count = total;
    }
  }

  finish(node: string): Statistics {
    const mean = this.#means;
    const variance = this.#squares.map((sum) => sum / this.#count);
    if (this.#count > 0 && mean.every(Number.isFinite) && variance.every(Number.isFinite))
      return { mean, variance };
    throw new EspalierError(
      'ERR_ESPALIER_INPUT',
      `Expected finite inputs of node "${node}" on the calibration data, got ${this.#count > 0 ? 'NaN or infinity' : 'none'}`,
    );
  }
}

/** Statistics that other nodes read too are copied: they keep theirs. */
function withStatistics(graph: Graph, name: string, { mean, variance }: Statistics): Graph {
  const constants = new Map(graph.constants);
  const node = graph.nodes.find((candidate) => candidate.name === name) as Node;
  const uses = useCounts(graph);
  const [meanName, varianceName] = [mean, variance].map((values, i) => {
    const old = node.inputs[3 + i] as string;
    const own = (uses.get(old) ?? 0) === 1 ? old : freshName(graph, constants, `${old}_recalibrated`);
    const bytes = new Uint8Array(Float32Array.from(values).buffer);
    constants.set(own, { type: 'float32', dims: [values.length], bytes });
    return own;
  }) as [string, string];
  const changed = { ...node, inputs: node.inputs.with(3, meanName).with(4, varianceName) };
  return { ...graph, constants, nodes: graph.nodes.map((one) => (one.name === name ? changed : one)) };
}
