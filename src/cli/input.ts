import { stat } from 'node:fs/promises';
import { openEsp } from '../esp/open.js';
import { openModelOrTensors, readModel } from '../esp/read_model.js';
import { isCompiledBytes } from '../formats/esp/index.js';
import { importOnnxBeside } from '../formats/onnx/index.js';
import { type FileContent, openBytes } from '../formats/open.js';
import { readWhole } from '../formats/read_file.js';
import { isSafetensors } from '../formats/safetensors/index.js';
import type { Graph } from '../graph/graph.js';

/** A model, or a file of tensors, that a command reads. */
export interface Input {
  readonly file: string;
  /** The bytes of what can be read only once, such as a pipe; files are read, or mapped, by who uses them. */
  readonly bytes: Uint8Array | undefined;
}

/** @throws EspalierError ERR_ESPALIER_FILE when it is a pipe that cannot be read */
export async function openInput(file: string): Promise<Input> {
  const found = await stat(file).catch(() => undefined); // whoever reads it will say what is wrong
  if (found === undefined || found.isFile() || found.isDirectory()) return { file, bytes: undefined };
  return { file, bytes: await readWhole(file, 'model or file of tensors') };
}

/**
 * The graph of a model.
 * @throws EspalierError as {@link readModel}
 */
export async function readGraph({ file, bytes }: Input): Promise<Graph> {
  if (bytes === undefined) return readModel(file);
  return isSafetensors(bytes) ? openEsp(bytes, { verify: true }).graph : importOnnxBeside(bytes, file);
}

/**
 * The graph of a model, or the tensors of a file.
 * @throws EspalierError as {@link openModelOrTensors}
 */
export async function readContent({ file, bytes }: Input): Promise<FileContent> {
  if (bytes === undefined) return openModelOrTensors(file);
  if (!isCompiledBytes(bytes)) return openBytes(bytes, file);
  return { format: 'onnx', graph: openEsp(bytes, { verify: true }).graph };
}
