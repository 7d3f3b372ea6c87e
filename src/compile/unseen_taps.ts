import { intsValue } from '../graph/attributes.js';
import { readElements, toBytes } from '../graph/data.js';
import type { Attribute, Node, StaticGraph, TensorData } from '../graph/graph.js';
import { type Window, windowOf } from '../graph/operators/window.js';
import { elementCount } from '../tensor.js';
import { unsupported } from './builder.js';
import { freeName } from './uses.js';

/** Taps [first, end) of a window along one axis, and the padding that is left for them. */
interface SeenTaps {
  readonly first: number;
  readonly end: number;
  readonly padBegin: number;
  readonly padEnd: number;
}

/**
 * The graph with filters cut to the taps that meet their image: where these are further apart than it is large, the others
 * see padding alone. Dilated heads of segmentation networks shrink to 1x1 so (Chen et al. 2017, arXiv:1706.05587, 3.3).
 */
export function cropUnseenTaps(graph: StaticGraph): StaticGraph {
  const seen = new Map(
    graph.nodes.flatMap((node) => {
      const taps = cutOf(graph, node);
      return taps === undefined ? [] : [[node, taps] as const];
    }),
  );
  if (seen.size === 0) return graph;
  const constants = new Map(graph.constants);
  const values = new Map(graph.values);
  const nodes = graph.nodes.map((node) => {
    const taps = seen.get(node);
    const [x = '', weight = '', ...others] = node.inputs;
    const data = graph.constants.get(weight);
    if (taps === undefined || data === undefined) return node;
    const cut = crop(data, taps);
    const name = freeName(`espalier/${weight}/seen`, values);
    constants.set(name, cut);
    values.set(name, { type: cut.type, dims: cut.dims });
    const attributes = new Map<string, Attribute>(node.attributes)
      .set('kernel_shape', intsValue(cut.dims.slice(2)))
      .set('pads', intsValue([...taps.map(({ padBegin }) => padBegin), ...taps.map(({ padEnd }) => padEnd)]));
    attributes.delete('auto_pad');
    return { ...node, inputs: [x, name, ...others], attributes };
  });
  return { ...graph, nodes, constants, values };
}

/** What a Conv's filters are to be cut to, along each axis; undefined when all their taps meet the image. */
function cutOf(graph: StaticGraph, node: Node): SeenTaps[] | undefined {
  if (node.op !== 'Conv') return undefined;
  const weight = graph.constants.get(node.inputs[1] ?? '');
  const spatial = graph.values.get(node.inputs[0] ?? '')?.dims.slice(2) ?? [];
  if (weight?.type !== 'float32' || spatial.length > 2) return undefined;
  if (elementCount(weight.dims) === 0) return undefined; // taps that no number stands for may be any number
  const window = windowOf(node, spatial, weight.dims.slice(2), (reason) => unsupported(node, reason));
  const seen = spatial.map((size, axis) => seenTaps(window, axis, size));
  return seen.every(({ first, end }, axis) => end - first === window.kernel[axis]) ? undefined : seen;
}

function seenTaps(window: Window, axis: number, size: number): SeenTaps {
  const at = (list: readonly number[]) => list[axis] as number;
  const [kernel, stride, dilation] = [at(window.kernel), at(window.strides), at(window.dilations)];
  const [padBegin, padEnd, outputs] = [at(window.padsBegin), at(window.padsEnd), at(window.outputs)];
  const isSeen = (tap: number) => {
    const start = tap * dilation - padBegin; // what the first output sees
    const output = Math.max(0, Math.ceil(-start / stride)); // the first that does not see padding before the image
    return output < outputs && output * stride + start < size;
  };
  const taps = Array.from({ length: kernel }, (_, tap) => tap).filter(isSeen);
  const whole = { first: 0, end: kernel, padBegin, padEnd };
  if (taps.length === 0) return whole;
  const first = Math.min(taps[0] as number, Math.floor(padBegin / dilation)); // no negative padding
  const left = padBegin - first * dilation;
  for (let end = (taps.at(-1) as number) + 1; end < kernel; end++) {
    const extent = (end - first - 1) * dilation + 1;
    const right = Math.max(0, (outputs - 1) * stride + extent - size - left);
    if (Math.floor((size + left + right - extent) / stride) + 1 === outputs)
      return { first, end, padBegin: left, padEnd: right };
  }
  return { ...whole, first, padBegin: left };
}

/** Filters cut before, so that a session keeps one copy for all its plans. */
const cropped = new WeakMap<TensorData, Map<string, TensorData>>();

function crop(weight: TensorData, seen: readonly SeenTaps[]): TensorData {
  const key = seen.map(({ first, end }) => `${first}:${end}`).join();
  const known = cropped.get(weight) ?? new Map<string, TensorData>();
  cropped.set(weight, known);
  const data = known.get(key) ?? cropNow(weight, seen);
  known.set(key, data);
  return data;
}

function cropNow({ type, dims, ...weight }: TensorData, seen: readonly SeenTaps[]): TensorData {
  const [outputs = 0, channels = 0, ...kernel] = dims;
  const [height, width] = [kernel.length === 2 ? (kernel[0] as number) : 1, kernel.at(-1) as number];
  const rows = kernel.length === 2 ? (seen[0] as SeenTaps) : { first: 0, end: 1 };
  const columns = seen.at(-1) as SeenTaps;
  const all = readElements({ type, dims, ...weight }) as Float32Array;
  const kept = new Float32Array(outputs * channels * (rows.end - rows.first) * (columns.end - columns.first));
  let to = 0;
  for (let filter = 0; filter < outputs * channels; filter++) {
    for (let row = rows.first; row < rows.end; row++) {
      const from = (filter * height + row) * width;
      kept.set(all.subarray(from + columns.first, from + columns.end), to);
      to += columns.end - columns.first;
    }
  }
  const cut = seen.map(({ first, end }) => end - first);
  return { type, dims: [outputs, channels, ...cut], bytes: toBytes('float32', kept) };
}
