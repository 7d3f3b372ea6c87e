import { readWhole } from '../read_file.js';
import { decodeModel } from './decode.js';
import { locationOf } from './tensors.js';

/** How an ONNX file holds constants that are not whole in it. Plain data. */
export interface OnnxStorage {
  /** Files beside the model, and how many of its constants lie in each. */
  readonly external: readonly { readonly file: string; readonly constants: number }[];
  /** Constants that are lists of values and positions. */
  readonly sparse: number;
}

/** @throws EspalierError ERR_ESPALIER_FILE, _MODEL */
export async function readOnnxStorage(file: string): Promise<OnnxStorage> {
  const { graph } = decodeModel(await readWhole(file, 'model'), file);
  const counts = new Map<string, number>();
  for (const tensor of graph?.initializer ?? []) {
    const location = locationOf(tensor);
    if (location !== undefined) counts.set(location, (counts.get(location) ?? 0) + 1);
  }
  const external = [...counts].map(([name, constants]) => ({ file: name, constants }));
  return { external, sparse: graph?.sparse_initializer?.length ?? 0 };
}
