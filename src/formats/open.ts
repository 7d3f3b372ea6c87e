import type { Graph, TensorData } from '../graph/graph.js';
import { allConstants } from '../graph/inner_graphs.js';
import { importOnnxBeside } from './onnx/index.js';
import { readWhole } from './read_file.js';
import { decodeSafetensors, readShards } from './safetensors/index.js';
import { decodeTensors, type TensorFileFormat, tensorFileFormat } from './tensor_files.js';

/** What a file holds: a graph, or tensors by name. */
export type FileContent =
  | { readonly format: 'onnx'; readonly graph: Graph }
  | {
      readonly format: TensorFileFormat;
      readonly tensors: ReadonlyMap<string, TensorData>;
      /** `__metadata__` of safetensors. */
      readonly metadata: Readonly<Record<string, string>>;
    };

/**
 * Reads a model or a file of tensors, told apart by content; a `.json` file is an index of safetensors shards.
 * @throws EspalierError ERR_ESPALIER_FILE, _MODEL, _UNSUPPORTED
 */
export async function openFile(file: string): Promise<FileContent> {
  return openBytes(await readWhole(file, 'model or file of tensors'), file);
}

/** {@link openFile} of a file's bytes, which must not change while the content is in use. */
export async function openBytes(bytes: Uint8Array, file: string): Promise<FileContent> {
  if (file.endsWith('.json')) return { format: 'safetensors', ...(await readShards(bytes, file)) };
  const format = tensorFileFormat(bytes);
  if (format === 'safetensors') return { format, ...decodeSafetensors(bytes, file) };
  if (format !== undefined) return { format, tensors: decodeTensors(bytes, file), metadata: {} };
  return { format: 'onnx', graph: importOnnxBeside(bytes, file) };
}

/** The constants of a graph and of the graphs inside it, named as `loadWeights` takes them, or the tensors of a file. */
export function tensorsOf(content: FileContent): ReadonlyMap<string, TensorData> {
  return content.format === 'onnx' ? allConstants(content.graph) : content.tensors;
}
