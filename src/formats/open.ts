import type { Graph, TensorData } from '../graph/graph.js';
import { allConstants } from '../graph/inner_graphs.js';
import { externalFiles } from './onnx/external.js';
import { importOnnx } from './onnx/index.js';
import { readWhole } from './read_file.js';
import { decodeSafetensors, readSafetensors } from './safetensors/index.js';
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
  if (file.endsWith('.json')) return { format: 'safetensors', ...(await readSafetensors(file)) };
  const bytes = await readWhole(file, 'model or file of tensors');
  const format = tensorFileFormat(bytes);
  if (format === 'safetensors') return { format, ...decodeSafetensors(bytes, file) };
  if (format !== undefined) return { format, tensors: decodeTensors(bytes, file), metadata: {} };
  const graph = importOnnx(bytes, { name: file, resolveExternal: externalFiles(file) });
  return { format: 'onnx', graph };
}

/** The constants of a graph and of the graphs inside it, named as `loadWeights` takes them, or the tensors of a file. */
export function tensorsOf(content: FileContent): ReadonlyMap<string, TensorData> {
  return content.format === 'onnx' ? allConstants(content.graph) : content.tensors;
}
