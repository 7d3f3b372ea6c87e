import { EspalierError } from '../../errors.js';
import type { TensorData } from '../../graph/graph.js';
import { pathBeside, readWhole } from '../read_file.js';
import { decodeSafetensors, type SafetensorsFile } from './decode.js';
import { type EncodeOptions, encodeSafetensors } from './encode.js';
import { parseStrict } from './json.js';

/** Ends the name of the index of a model whose tensors lie in several files, as Hugging Face's tools write it. */
export const indexSuffix = '.safetensors.index.json';

/**
 * Reads a safetensors file, or all shards that an index (`model.safetensors.index.json`) names.
 * @throws EspalierError ERR_ESPALIER_FILE when a file cannot be read, ERR_ESPALIER_MODEL when it is no valid file, or an
 *   index that does not agree with its shards, ERR_ESPALIER_UNSUPPORTED as {@link decodeSafetensors}
 */
export async function readSafetensors(file: string): Promise<SafetensorsFile> {
  const bytes = await readWhole(file, 'safetensors file');
  return file.endsWith('.json') ? readShards(bytes, file) : decodeSafetensors(bytes, file);
}

/** The tensors of all shards that the bytes of an index name. */
export async function readShards(bytes: Uint8Array, index: string): Promise<SafetensorsFile> {
  const shardOf = decodeIndex(bytes, index);
  const tensors = new Map<string, TensorData>();
  const metadata: Record<string, string> = {};
  for (const shard of new Set(shardOf.values())) {
    const file = pathBeside(index, shard, 'shard');
    const found = decodeSafetensors(await readWhole(file, 'shard'), file);
    Object.assign(metadata, found.metadata);
    for (const [name, tensor] of found.tensors) {
      if (shardOf.get(name) !== shard)
        throw invalid(index, `to say that "${name}" lies in ${shard}`, shardOf.get(name) ?? 'nothing');
      tensors.set(name, tensor);
    }
  }
  for (const [name, shard] of shardOf) {
    if (!tensors.has(name))
      throw invalid(index, `to name tensors of its shards`, `"${name}", which ${shard} lacks`);
  }
  return { tensors, metadata };
}

/** The name of the shard that holds each tensor. */
function decodeIndex(bytes: Uint8Array, file: string): ReadonlyMap<string, string> {
  const parsed = parseStrict(new TextDecoder().decode(bytes), file) as { weight_map?: unknown } | null;
  const map = parsed?.weight_map;
  const entries = typeof map === 'object' && map !== null && !Array.isArray(map) ? Object.entries(map) : [];
  if (entries.length === 0 || entries.some(([, shard]) => typeof shard !== 'string'))
    throw invalid(file, 'to have a weight_map from tensors to shards', 'none');
  return new Map(entries);
}

/**
 * Splits tensors over several safetensors files.
 * @param options.shardBytes largest number of bytes of tensors in a file; a larger tensor has a file of its own
 * @param options.base first part of the names. Default: `model`
 * @returns the bytes of each file by its name, the index last; one file without an index when all tensors fit in it
 * @throws EspalierError ERR_ESPALIER_ARGUMENT, _SHAPE
 */
export function encodeShards(
  tensors: ReadonlyMap<string, TensorData>,
  options: EncodeOptions & { readonly shardBytes: number; readonly base?: string },
): Map<string, Uint8Array> {
  const { shardBytes, base = 'model', ...encoding } = options;
  if (!(shardBytes >= 1))
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected shardBytes of at least 1, got ${shardBytes}`);
  const shards: Map<string, TensorData>[] = [];
  let room = 0;
  for (const [name, tensor] of tensors) {
    if (shards.length === 0 || tensor.bytes.byteLength > room) {
      shards.push(new Map());
      room = shardBytes;
    }
    shards.at(-1)?.set(name, tensor);
    room -= tensor.bytes.byteLength;
  }
  if (shards.length <= 1) return new Map([[`${base}.safetensors`, encodeSafetensors(tensors, encoding)]]);
  const digits = (value: number) => String(value).padStart(5, '0');
  const files = new Map<string, Uint8Array>();
  const map: string[] = [];
  let total = 0;
  for (const [i, shard] of shards.entries()) {
    const file = `${base}-${digits(i + 1)}-of-${digits(shards.length)}.safetensors`;
    files.set(file, encodeSafetensors(shard, encoding));
    for (const [name, { bytes }] of shard) {
      map.push(`${JSON.stringify(name)}:${JSON.stringify(file)}`);
      total += bytes.byteLength;
    }
  }
  const index = `{"metadata":{"total_size":${total}},"weight_map":{${map.join(',')}}}`;
  return files.set(`${base}${indexSuffix}`, new TextEncoder().encode(index));
}

/** Whether {@link encodeShards} gives a file such a name for this base, whatever the number of shards. */
export function isShardName(name: string, base: string): boolean {
  if (!name.startsWith(base)) return false;
  const rest = name.slice(base.length);
  return rest === '.safetensors' || rest === indexSuffix || /^-\d{5,}-of-\d{5,}\.safetensors$/.test(rest);
}

function invalid(file: string, expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_MODEL', `Expected ${file} ${expected}, got ${got}`);
}
