import { isCompiledFile, openEsp } from '../esp/open.js';
import { type CompiledFor, espVersion, isCompiledBytes } from '../formats/esp/index.js';
import type { TensorData } from '../graph/graph.js';
import { parseHistory } from '../graph/history.js';
import { analyzeLayer } from '../sparse/analyze.js';
import { inspectGraph, type ModelReport } from './inspect.js';

/** What a compiled model says of itself. Plain data. */
export interface CompiledReport extends CompiledFor {
  readonly version: number;
  readonly fileBytes: number;
  /** How each packed weight lies in the file, by the name of the constant. */
  readonly packed: Readonly<Record<string, { format: string; storage: string; bytes: number }>>;
  /** What was done to the model, oldest first. */
  readonly history: unknown;
  /** Whether all bytes were checked against the file's hashes. */
  readonly verified: boolean;
}

/**
 * Describes a compiled model, and its graph; undefined for a file of another kind.
 * @param model the file, or its bytes
 * @param verify whether all of it is checked against its hashes
 * @throws EspalierError ERR_ESPALIER_FILE, _MODEL when it is damaged, _UNSUPPORTED for other versions, _NATIVE
 */
export async function inspectEsp(
  model: string | Uint8Array,
  verify: boolean,
): Promise<(ModelReport & { readonly compiled: CompiledReport }) | undefined> {
  const isCompiled = typeof model === 'string' ? await isCompiledFile(model) : isCompiledBytes(model);
  if (!isCompiled) return undefined;
  const { graph, stored, weights, compiledFor, history, file } = openEsp(model, { verify });
  const report = inspectGraph(graph, (whole, layer) => {
    const data = whole.constants.get(layer.weight) as TensorData;
    return stored.analysisOf(layer, data) ?? analyzeLayer(whole, layer);
  });
  const packed = [...weights.values()].flatMap(({ name, packed: layout }) => {
    if (layout === undefined) return [];
    const { format, storage, matrices } = layout;
    const bytes = matrices.flatMap(({ sizes }) => Object.values(sizes)).reduce((sum, size) => sum + size, 0);
    return [[name, { format, storage, bytes }] as const];
  });
  return {
    ...report,
    compiled: {
      version: espVersion,
      fileBytes: file.size,
      ...compiledFor,
      packed: Object.fromEntries(packed),
      history: parseHistory(history),
      verified: verify,
    },
  };
}
