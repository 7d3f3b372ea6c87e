import { EspalierError } from '../errors.js';
import { intAttribute } from '../graph/attributes.js';
import type { Graph, Node } from '../graph/graph.js';
import type { Layer } from '../graph/layers.js';
import { type Window, windowOf } from '../graph/operators/window.js';
import type { Tensor } from '../tensor.js';

/** The rows of X in Y = X W^T that a layer's input holds: tokens of a product, unfolded windows of a convolution. */
export interface LayerRows {
  /** Name of the value that the layer reads. */
  readonly input: string;
  /** Equal for layers that see the same rows. */
  readonly key: string;
  /** How many rows a tensor holds. */
  count(tensor: Tensor): number;
  /** Writes the chosen rows of one group to `out` [chosen, inputs]. */
  read(tensor: Tensor, chosen: Uint32Array, group: number, out: Float32Array): void;
}

/** @throws EspalierError ERR_ESPALIER_UNSUPPORTED for a Gemm whose first input is transposed, and recurrent layers. */
export function layerRows(graph: Graph, node: Node | undefined, layer: Layer): LayerRows {
  if (node === undefined) {
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected layer "${layer.name}" to be a Conv, Gemm or MatMul, got ${layer.op}; exclude it from calibration`,
    );
  }
  const [input = ''] = node.inputs;
  if (layer.op === 'Conv') return convolutionRows(graph, node, layer, input);
  if (layer.op === 'Gemm' && intAttribute(node, 'transA', 0) !== 0) {
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected layer "${layer.name}" to take its input as it is, got transA; exclude it from calibration`,
    );
  }
  const { inputs } = layer;
  return {
    input,
    key: `${input} product ${inputs}`,
    count: (tensor) => floatsOf(tensor, layer).length / inputs,
    read: (tensor, chosen, _group, out) => {
      const data = floatsOf(tensor, layer);
      chosen.forEach((row, i) => {
        out.set(data.subarray(row * inputs, (row + 1) * inputs), i * inputs);
      });
    },
  };
}

/** Input j of a window is (channel, tap), as weights [outputs, channels, ...kernel] lie. */
function convolutionRows(graph: Graph, node: Node, layer: Layer, input: string): LayerRows {
  const [, channels = 0, ...kernel] = graph.constants.get(layer.weight)?.dims ?? [];
  const windowFor = (tensor: Tensor) =>
    windowOf(node, tensor.dims.slice(2), kernel, (reason) => {
      return new EspalierError('ERR_ESPALIER_MODEL', `Layer "${layer.name}": ${reason}`);
    });
  const positions = (window: Window) => window.outputs.reduce((product, size) => product * size, 1);
  const attributes = [...node.attributes].map(([name, { value }]) => `${name}=${String(value)}`).sort();
  return {
    input,
    key: `${input} windows ${channels}x${kernel.join('x')} ${attributes.join(' ')}`,
    count: (tensor) => (tensor.dims[0] ?? 0) * positions(windowFor(tensor)),
    read: (tensor, chosen, group, out) => {
      const data = floatsOf(tensor, layer);
      const window = windowFor(tensor);
      const spatial = tensor.dims.slice(2);
      const plane = spatial.reduce((product, size) => product * size, 1);
      const perImage = positions(window);
      const taps = kernel.reduce((product, size) => product * size, 1);
      const offsets = new Int32Array(taps); // into a plane, -1 in the padding
      chosen.forEach((row, i) => {
        tapOffsets(window, spatial, row % perImage, offsets);
        const image = Math.floor(row / perImage) * (tensor.dims[1] ?? 0);
        for (let channel = 0, at = i * layer.inputs; channel < channels; channel++) {
          const base = (image + group * channels + channel) * plane;
          for (let tap = 0; tap < taps; tap++, at++) {
            const offset = offsets[tap] as number;
            out[at] = offset < 0 ? 0 : (data[base + offset] as number);
          }
        }
      });
    },
  };
}

/** Where the taps of the window at output `position` lie in a plane of the input; -1 for those in the padding. */
function tapOffsets(window: Window, spatial: readonly number[], position: number, offsets: Int32Array): void {
  offsets.fill(0);
  let stride = 1; // of the axis, in the plane
  let inner = 1; // taps of the axes after it
  let rest = position;
  for (let axis = spatial.length - 1; axis >= 0; axis--) {
    const size = spatial[axis] as number;
    const outputs = window.outputs[axis] as number;
    const kernel = window.kernel[axis] as number;
    const first = (rest % outputs) * (window.strides[axis] as number) - (window.padsBegin[axis] as number);
    rest = Math.floor(rest / outputs);
    for (let tap = 0; tap < offsets.length; tap++) {
      const at = first + (Math.floor(tap / inner) % kernel) * (window.dilations[axis] as number);
      const sum = offsets[tap] as number;
      offsets[tap] = sum < 0 || at < 0 || at >= size ? -1 : sum + at * stride;
    }
    stride *= size;
    inner *= kernel;
  }
}

function floatsOf(tensor: Tensor, layer: Layer): Float32Array {
  if (tensor.data instanceof Float32Array) return tensor.data;
  throw new EspalierError(
    'ERR_ESPALIER_TYPE',
    `Expected the input of layer "${layer.name}" to be float32, got ${tensor.type}`,
  );
}

/**
 * Which of `count` rows to take, at most `most`: one at random from each of `most` equal parts, so that they cover an
 * image but no column of it is taken every time. The same for the same seed.
 */
export function chooseRows(count: number, most: number, seed: number): Uint32Array {
  if (count <= most) return Uint32Array.from({ length: count }, (_, i) => i);
  let state = seed >>> 0;
  return Uint32Array.from({ length: most }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(((i + state / 2 ** 32) * count) / most);
  });
}
