import { readOnnx } from '../formats/onnx/index.js';
import { type FileContent, openFile } from '../formats/open.js';
import type { Graph } from '../graph/graph.js';
import { isCompiledFile, isEsp, openEsp } from './open.js';

/**
 * The graph of an ONNX model or of a compiled one, whose weights are unpacked when something asks for their bytes: they
 * are what the file holds, so those stored as float16 stay rounded, and constants that compiling folded stay folded.
 * @throws EspalierError ERR_ESPALIER_FILE, _MODEL when it is damaged, _UNSUPPORTED for other versions, _NATIVE for a
 *   compiled model without the addon
 */
export async function readModel(path: string): Promise<Graph> {
  return (await isEsp(path)) ? readCompiled(path) : readOnnx(path);
}

/** {@link openFile}, which sees the packed sections of a compiled model as tensors, with its graph instead. */
export async function openModelOrTensors(path: string): Promise<FileContent> {
  return (await isCompiledFile(path)) ? { format: 'onnx', graph: readCompiled(path) } : openFile(path);
}

function readCompiled(path: string): Graph {
  return openEsp(path, { verify: true }).graph;
}
