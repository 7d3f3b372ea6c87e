import type { Graph } from '../../graph/graph.js';
import { type ExportOptions, exportOnnx } from './export.js';

/** A model in two files. */
export interface SplitOnnx {
  readonly model: Uint8Array;
  /** Pieces of the other file, which lie in it one behind the other. */
  readonly data: readonly Uint8Array[];
}

/** Larger constants begin at multiples of this, so that they can be mapped, as the ONNX specification asks. */
const pageBytes = 4096;

/**
 * An ONNX model of any size: constants of a page and more are in a second file, which has to lie beside the model.
 * @param location the name of that file
 * @throws EspalierError ERR_ESPALIER_UNSUPPORTED when what is left passes the 2 GiB that protobuf allows
 */
export function exportOnnxSplit(
  graph: Graph,
  location: string,
  options: Omit<ExportOptions, 'external'> = {},
): SplitOnnx {
  const data: Uint8Array[] = [];
  let end = 0;
  const model = exportOnnx(graph, {
    ...options,
    external: (_name, { bytes }) => {
      if (bytes.byteLength < pageBytes) return undefined;
      const offset = Math.ceil(end / pageBytes) * pageBytes;
      if (offset > end) data.push(new Uint8Array(offset - end));
      data.push(bytes);
      end = offset + bytes.byteLength;
      return { location, offset, length: bytes.byteLength };
    },
  });
  return { model, data };
}
