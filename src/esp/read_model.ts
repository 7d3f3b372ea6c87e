import { readOnnx } from '../formats/onnx/index.js';
import { type FileContent, openFile } from '../formats/open.js';
import type { Graph } from '../graph/graph.js';
import { isCompiledFile, openEsp } from './open.js';

/**
 * The graph of an ONNX model or of a compiled one, whose weights are unpacked when something asks for their bytes: they
 * are what the file holds, so those stored as float16 stay rounded, and constants that compiling folded stay folded.
 * @throws EspalierError ERR_ESPALIER_FILE, _MODEL when it is damaged, _UNSUPPORTED for other versions, _NATIVE for a
 *   compiled model without the addon
 */
export async function readModel(path: string): Promise<Graph> {
  return (await compiledGraph(path)) ?? readOnnx(path);
}

/** {@link openFile}, which sees the packed sections of a compiled model as tensors, with its graph instead. */
export async function openModelOrTensors(path: string): Promise<FileContent> {
  const graph = await compiledGraph(path);
  return graph === undefined ? openFile(path) : { format: 'onnx', graph };
}

async function compiledGraph(path: string): Promise<Graph | undefined> {
  return (await isCompiledFile(path)) ? openEsp(path, { verify: true }).graph : undefined;
}
