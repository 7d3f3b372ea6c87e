import { EspalierError } from '../errors.js';
import { readElements } from '../graph/data.js';
import type { Graph } from '../graph/graph.js';
import type { Layer } from '../graph/layers.js';

/**
 * The weights of a layer in their stored order, as a typed view: onto the graph's own bytes when these are aligned,
 * else onto a copy. Treat it as read-only.
 * @throws EspalierError ERR_ESPALIER_MODEL when the constant is missing, not float32, or too short for the layer.
 */
export function storedWeights(graph: Graph, layer: Layer): Float32Array {
  const { name, weight, groups, outputs, inputs } = layer;
  const data = graph.constants.get(weight);
  const expected = groups * outputs * inputs;
  if (data !== undefined && data.type === 'float32' && data.bytes.length === expected * 4) {
    return readElements(data) as Float32Array;
  }
  const got = data === undefined ? 'no such constant' : `${data.bytes.length} bytes of ${data.type}`;
  throw new EspalierError(
    'ERR_ESPALIER_MODEL',
    `Expected weight "${weight}" of layer "${name}" to be ${expected} float32 values, got ${got}`,
  );
}

/** {@link storedWeights} as bit patterns, which tell -0 and denormals apart. */
export function storedBits(graph: Graph, layer: Layer): Uint32Array {
  const { buffer, byteOffset, length } = storedWeights(graph, layer);
  return new Uint32Array(buffer, byteOffset, length);
}

/** A copy of a layer's weights in (group, output, input) order: [groups * outputs * inputs]. */
export function orderedWeights(graph: Graph, layer: Layer): Float32Array {
  const stored = storedWeights(graph, layer);
  const { inputs, outputStride, inputStride } = layer;
  const rows = layer.groups * layer.outputs;
  if (inputStride === 1 && outputStride === inputs) return stored.slice(0, rows * inputs);
  const ordered = new Float32Array(rows * inputs);
  const tile = 64; // a tile of both sides stays in the first-level cache
  for (let rowStart = 0; rowStart < rows; rowStart += tile) {
    const rowEnd = Math.min(rows, rowStart + tile);
    for (let inputStart = 0; inputStart < inputs; inputStart += tile) {
      const inputEnd = Math.min(inputs, inputStart + tile);
      for (let row = rowStart; row < rowEnd; row++) {
        for (let input = inputStart; input < inputEnd; input++) {
          ordered[row * inputs + input] = stored[row * outputStride + input * inputStride] as number;
        }
      }
    }
  }
  return ordered;
}
