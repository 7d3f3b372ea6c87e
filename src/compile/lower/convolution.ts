import { floatAttribute, intAttribute } from '../../graph/attributes.js';
import { fromNumbers, readElements } from '../../graph/data.js';
import type { Node, TensorData } from '../../graph/graph.js';
import { exactAttribute } from '../../graph/operators/convolution.js';
import { transposedWindowOf, type Window, windowOf } from '../../graph/operators/window.js';
import { elementCount } from '../../tensor.js';
import { type PlanBuilder, unsupported } from '../builder.js';
import type { FusedNode } from '../fuse.js';
import { inputChannelsOf } from '../recognise/gathered_channels.js';
import { constantInput, epilogueOperands } from './operands.js';
import { emitLayerProduct } from './product.js';
import { selectChannels } from './selected_channels.js';
import { analysisOf, layerOf, packMatrices } from './weights.js';

/** A 1-D window as a 2-D one of height 1; dims likewise. */
function planar<T>(list: readonly T[], one: T): readonly [T, T] {
  return [list.length === 2 ? (list[0] as T) : one, list.at(-1) as T];
}

function planarDims(dims: readonly number[]): readonly number[] {
  const [batch = 0, channels = 0, ...spatial] = dims;
  return [batch, channels, ...planar(spatial, 1)];
}

/** Taps of a window, and places along one axis that it reaches: beyond, native code would count past its integers. */
const mostTaps = 2 ** 24;
const farthest = 2 ** 28;

export function windowNumbers(node: Node, window: Window): Record<string, readonly number[]> {
  const { kernel, strides, dilations, padsBegin, outputs } = window;
  const reaches = outputs.map(
    (size, axis) =>
      size * (strides[axis] ?? 1) + (kernel[axis] ?? 1) * (dilations[axis] ?? 1) + (padsBegin[axis] ?? 0),
  );
  if (elementCount(kernel) > mostTaps || Math.max(...reaches) > farthest)
    throw unsupported(node, `a window of [${kernel.join(', ')}] that reaches over [${reaches.join(', ')}]`);
  return {
    kernel: planar(window.kernel, 1),
    strides: planar(window.strides, 1),
    dilations: planar(window.dilations, 1),
    pads: planar(window.padsBegin, 0),
    pads_after: planar(window.padsEnd, 0),
  };
}

/** Operands of a windowed step: [batch, channels, height, width] whatever the node's rank is. */
export function planarOperands(builder: PlanBuilder, node: Node, output: string) {
  const dims = builder.dimsOf(node.inputs[0] ?? '');
  if (dims.length > 4) throw unsupported(node, `a window over ${dims.length - 2} spatial axes`);
  return {
    x: builder.operand(node.inputs[0] ?? '', planarDims(dims)),
    y: builder.operand(output, planarDims(builder.dimsOf(output))),
    spatial: dims.slice(2),
  };
}

export function lowerConv(fused: FusedNode, builder: PlanBuilder): void {
  const { node, output } = fused;
  const { x, y, spatial } = planarOperands(builder, node, output);
  const weight = constantInput(builder, node, 1, 'weights computed at run time');
  const window = windowOf(node, spatial, weight.dims.slice(2), (reason) => unsupported(node, reason));
  const groups = intAttribute(node, 'group', 1);
  const epilogue = epilogueOperands(fused, builder, y.dims);
  const activation = builder.activationNumbers(fused);
  const windowInts = windowNumbers(node, window);
  const ints = { ...windowInts, ...epilogue.ints, ...activation.ints };

  if (groups > 1 && weight.dims[1] === 1) {
    builder.emit({
      op: 'depthwise_conv2d',
      node,
      inputs: [x, builder.operand(node.inputs[1] ?? ''), ...epilogue.operands],
      output: y,
      ints,
      floats: activation.floats,
    });
    return;
  }
  const layer = layerOf(builder, node, 1);
  if (groups === 1 && seesAll(window, spatial) && inputChannelsOf(node) === undefined) {
    emitLayerProduct(fused, builder, { n: x.dims[0] ?? 1, layer: { ...layer, op: 'MatMul' } });
    return;
  }
  const taps = elementCount(weight.dims.slice(2));
  const analysis = analysisOf(builder, layer);
  const selected = selectChannels(builder, node, layer, { analysis, taps });
  const isExact = intAttribute(node, exactAttribute, 0) !== 0;
  const winogradTiles = groups === 1 && !isExact ? winogradTilesOf(window, y.dims) : undefined;
  const step = {
    op: 'conv2d',
    x: x.dims.with(1, (groups * selected.layer.inputs) / taps),
    y: y.dims.with(1, groups * selected.layer.outputs),
    ints: windowInts,
    taps,
    winogradTiles,
    selected: selected.left,
  } as const;
  const { inputs, outputs } = selected;
  builder.emit({
    ...packMatrices(builder, selected.layer, step),
    node,
    inputs: [x, ...epilogue.operands],
    output: y,
    ints: {
      ...ints,
      ...(inputs === undefined ? {} : { input_channels: inputs }),
      ...(outputs === undefined ? {} : { output_channels: outputs }),
    },
    floats: activation.floats,
  });
}

/**
 * Whether the one output of each filter is the product of all its weights with all of the image, in their order: squeezed
 * channels, and heads as large as what they see. A product by vectors needs no panel.
 */
function seesAll({ kernel, dilations, padsBegin, outputs }: Window, spatial: readonly number[]): boolean {
  return kernel.every(
    (size, axis) =>
      size === spatial[axis] &&
      outputs[axis] === 1 &&
      padsBegin[axis] === 0 &&
      (size === 1 || dilations[axis] === 1),
  );
}

/** Tiles of 4 x 4 output pixels of an image; undefined for windows that Winograd's algorithm does not take. */
function winogradTilesOf(
  { kernel, strides, dilations, padsBegin }: Window,
  [, , height = 1, width = 1]: readonly number[],
): number | undefined {
  const fits =
    kernel.length === 2 &&
    kernel.every((size) => size === 3) &&
    [...strides, ...dilations].every((step) => step === 1) &&
    padsBegin.every((pad) => pad <= 2);
  return fits ? Math.ceil(height / 4) * Math.ceil(width / 4) : undefined;
}

/**
 * A transposed convolution is a product that makes what each input pixel adds under each tap, [outputs x taps, pixels],
 * and a scatter of that to the output.
 */
export function lowerConvTranspose(fused: FusedNode, builder: PlanBuilder): void {
  const { node, output } = fused;
  const { x, y, spatial } = planarOperands(builder, node, output);
  const weight = constantInput(builder, node, 1, 'weights computed at run time');
  const [channels = 0, outputsPerGroup = 0, ...kernel] = weight.dims;
  const window = transposedWindowOf(node, spatial, kernel, (reason) => unsupported(node, reason));
  const groups = intAttribute(node, 'group', 1);
  const taps = kernel.reduce((product, size) => product * size, 1);
  const rows = outputsPerGroup * taps; // of one group
  const [batch = 0, , height = 1, width = 1] = x.dims;
  const product = builder.temporary('float32', [batch, groups * rows, height, width]);
  const groupChannels = channels / groups;
  // The weight is [channels, outputs x taps]: column c of row r lies at c * rows + r.
  const weights = Array.from({ length: groups }, (_, group) =>
    builder.weights.pack(
      {
        data: weight,
        rows,
        cols: groupChannels,
        offset: group * groupChannels * rows,
        rowStride: 1,
        colStride: rows,
      },
      { format: 'dense', storage: 'float32' },
    ),
  );
  const ones = [1, 1];
  builder.emit({
    op: 'conv2d',
    node,
    inputs: [x],
    output: builder.operand(product),
    ints: { kernel: ones, strides: ones, dilations: ones, pads: [0, 0] },
    weights,
  });
  const bias = node.inputs[2] ?? '';
  const activation = builder.activationNumbers(fused);
  builder.emit({
    op: 'conv_scatter',
    node,
    inputs: [builder.operand(product), ...(bias === '' ? [] : [builder.operand(bias)])],
    output: y,
    ints: { ...windowNumbers(node, window), has_bias: bias === '' ? 0 : 1, ...activation.ints },
    floats: activation.floats,
  });
}

/** y = (x - mean) / sqrt(variance + epsilon) * scale + bias is a depthwise convolution with a 1x1 kernel. */
export function lowerBatchNormalization(fused: FusedNode, builder: PlanBuilder): void {
  const { node, output } = fused;
  const dims = builder.dimsOf(output);
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) => {
    const data: TensorData = constantInput(builder, node, i, 'parameters computed at run time');
    return Array.from(readElements(data) as Float32Array);
  }) as [number[], number[], number[], number[]];
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const scale = gamma.map((g, i) => g / Math.sqrt((variance[i] ?? 0) + epsilon));
  const shift = beta.map((b, i) => b - (mean[i] ?? 0) * (scale[i] ?? 0));
  const [batch = 1, channels = 1, ...spatial] = dims;
  const flat = [batch, channels, 1, spatial.reduce((product, dim) => product * dim, 1)];
  const activation = builder.activationNumbers(fused);
  builder.emit({
    op: 'depthwise_conv2d',
    node,
    inputs: [
      builder.operand(node.inputs[0] ?? '', flat),
      builder.operand(builder.constant(fromNumbers('float32', [channels], scale))),
      builder.operand(builder.constant(fromNumbers('float32', [channels], shift))),
    ],
    output: builder.operand(output, flat),
    ints: {
      kernel: [1, 1],
      strides: [1, 1],
      dilations: [1, 1],
      pads: [0, 0],
      has_bias: 1,
      ...activation.ints,
    },
    floats: activation.floats,
  });
}
