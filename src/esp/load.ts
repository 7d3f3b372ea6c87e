import { foldAffine } from '../compile/fold_affine.js';
import { importOnnx, readOnnx } from '../formats/onnx/index.js';
import type { Graph } from '../graph/graph.js';
import { assertSupported } from '../graph/supported.js';
import { isEsp, type OpenedEsp, type OpenOptions, openEsp } from './open.js';

/** A model that a session can run. */
export interface LoadedModel {
  /** Constants that scale and shift a convolution's output are in its weights. */
  readonly graph: Graph;
  /** undefined for a model that was not compiled. */
  readonly esp: OpenedEsp | undefined;
}

/**
 * Reads a model of either kind: compiled or ONNX, a file or its bytes.
 * @throws EspalierError ERR_ESPALIER_FILE, _MODEL, _UNSUPPORTED (one error that lists all operators), _NATIVE
 */
export async function loadModel(model: string | Uint8Array, options: OpenOptions = {}): Promise<LoadedModel> {
  if (await isEsp(model)) {
    const esp = openEsp(model, options);
    assertSupported(esp.graph);
    return { graph: esp.graph, esp }; // compiling has folded it
  }
  const graph = typeof model === 'string' ? await readOnnx(model) : importOnnx(model);
  assertSupported(graph);
  return { graph: foldAffine(graph), esp: undefined };
}
