import { toBytes } from '../../graph/data.js';
import type { Node, TensorData } from '../../graph/graph.js';
import type { Layer } from '../../graph/layers.js';
import type { LayerAnalysis } from '../../sparse/analyze.js';
import { blockOf } from '../../sparse/patterns.js';
import { storedWeights } from '../../sparse/weights.js';
import type { PlanBuilder } from '../builder.js';
import { inputChannelsOf } from '../recognise/gathered_channels.js';

/** Channels are left out when at most this share of them has weights: a few are not worth the index. */
const worthIt = 7 / 8;

/** A convolution without the filters and channels that are all zero. */
export interface SelectedConv {
  readonly layer: Layer;
  /** Channels of x and y that the filters stand for; undefined where these are all. */
  readonly inputs: readonly number[] | undefined;
  readonly outputs: readonly number[] | undefined;
  /** What was left out, for people; undefined when nothing was. */
  readonly left?: string;
}

/**
 * Leaves out filters whose weights are all zero, and input channels that no filter has a weight for: the smaller
 * convolution reads and writes the channels that are left where they lie.
 * @param layer of one group: [outputs, channels x taps]
 */
export function selectChannels(
  builder: PlanBuilder,
  node: Node,
  layer: Layer,
  { analysis, taps }: { readonly analysis: LayerAnalysis; readonly taps: number },
): SelectedConv {
  const gathered = inputChannelsOf(node);
  const whole = { layer, inputs: gathered, outputs: undefined };
  const channels = layer.inputs / taps;
  const mayShrink =
    layer.groups === 1 &&
    (analysis.emptyOutputs >= layer.outputs * (1 - worthIt) ||
      analysis.emptyInputs >= layer.inputs * (1 - worthIt));
  if (!mayShrink) return whole;
  const weights = storedWeights(builder.graph, layer);
  const unit = analysis.pattern === 'dense' ? 1 : blockOf(analysis.pattern).rows; // blocks stay whole
  const { usedOutputs, usedChannels } = findUsed(weights, { outputs: layer.outputs, channels, taps, unit });
  const outputs = usedOutputs.length <= layer.outputs * worthIt ? usedOutputs : undefined;
  const inputs = usedChannels.length <= channels * worthIt ? usedChannels : undefined;
  if (outputs === undefined && inputs === undefined) return whole;
  const kept = compacted(weights, layer, taps, outputs ?? all(layer.outputs), inputs ?? all(channels));
  const [rows = 0, keptChannels = 0] = kept.dims;
  const columns = keptChannels * taps;
  return {
    layer: {
      ...layer,
      weight: builder.constant(kept),
      outputs: rows,
      inputs: columns,
      outputStride: columns,
    },
    inputs: inputs?.map((channel) => gathered?.[channel] ?? channel) ?? gathered,
    outputs,
    left: `${rows} of ${layer.outputs} outputs and ${keptChannels} of ${channels} channels have weights`,
  };
}

const all = (count: number) => Array.from({ length: count }, (_, i) => i);

interface Filters {
  readonly outputs: number;
  readonly channels: number;
  readonly taps: number;
  /** Outputs that stay or go together. */
  readonly unit: number;
}

/** Outputs and channels with a weight that is not zero; one of each at least. */
function findUsed(weights: Float32Array, { outputs, channels, taps, unit }: Filters) {
  const usedOutputs = new Set<number>();
  const used = new Uint8Array(channels);
  let at = 0;
  for (let output = 0; output < outputs; output++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let tap = 0; tap < taps; tap++, at++) {
        if (weights[at] === 0) continue;
        used[channel] = 1;
        usedOutputs.add(Math.floor(output / unit));
      }
    }
  }
  if (usedOutputs.size === 0) {
    usedOutputs.add(0);
    used[0] = 1;
  }
  return {
    usedOutputs: all(outputs).filter((output) => usedOutputs.has(Math.floor(output / unit))),
    usedChannels: all(channels).filter((channel) => used[channel] === 1),
  };
}

function compacted(
  weights: Float32Array,
  { inputs }: Layer,
  taps: number,
  outputs: readonly number[],
  channels: readonly number[],
): TensorData {
  const kept = new Float32Array(outputs.length * channels.length * taps);
  let at = 0;
  for (const output of outputs) {
    for (const channel of channels) {
      const from = output * inputs + channel * taps;
      kept.set(weights.subarray(from, from + taps), at);
      at += taps;
    }
  }
  return { type: 'float32', dims: [outputs.length, channels.length, taps], bytes: toBytes('float32', kept) };
}
