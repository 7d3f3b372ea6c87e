import { readWhole } from '../read_file.js';
import { decodeModel } from './decode.js';
import type { GraphProto } from './schema.js';
import { locationOf } from './tensors.js';

/** How an ONNX file holds constants that are not whole in it. Plain data. */
export interface OnnxStorage {
  /** Files beside the model, and how many of its constants lie in each. */
  readonly external: readonly { readonly file: string; readonly constants: number }[];
  /** Constants that are lists of values and positions. */
  readonly sparse: number;
}

/**
 * @param model the file, or its bytes
 * @throws EspalierError ERR_ESPALIER_FILE, _MODEL
 */
export async function readOnnxStorage(model: string | Uint8Array): Promise<OnnxStorage> {
  const isFile = typeof model === 'string';
  const bytes = isFile ? await readWhole(model, 'model') : model;
  const { graph } = decodeModel(bytes, isFile ? model : 'the model');
  const counts = new Map<string, number>();
  let sparse = 0;
  for (const { initializer = [], sparse_initializer: lists = [] } of graphs(graph ?? {})) {
    sparse += lists.length;
    for (const tensor of initializer) {
      const location = locationOf(tensor);
      if (location !== undefined) counts.set(location, (counts.get(location) ?? 0) + 1);
    }
  }
  const external = [...counts].map(([name, constants]) => ({ file: name, constants }));
  return { external, sparse };
}

/** A graph and those inside it, which decoding has bounded in number and depth. */
function* graphs(graph: GraphProto): Generator<GraphProto> {
  yield graph;
  for (const { attribute = [] } of graph.node ?? [])
    for (const { g } of attribute) if (g != null) yield* graphs(g);
}
