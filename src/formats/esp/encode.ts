import { createHash } from 'node:crypto';
import { byteCount } from '../../graph/data.js';
import type { Graph, TensorData } from '../../graph/graph.js';
import { bytesPerElement, type DataType } from '../../tensor.js';
import { exportOnnx } from '../onnx/index.js';
import { encodeHeader } from '../safetensors/index.js';
import { deflate } from './deflate.js';
import {
  alignSection,
  type CompiledFor,
  compiledKey,
  espVersion,
  graphTensor,
  hashBytes,
  hashTensor,
  historyKey,
  type PackedLayout,
  sectionAlignment,
  sectionType,
  versionKey,
  type WeightEntry,
  weightsTensor,
} from './layout.js';

/** A packed matrix; see `PackedWeights` of src/native/addon.ts. */
export type PackedSections = Pick<PackedLayout, 'format' | 'storage'> & {
  readonly rows: number;
  readonly blockCols: number;
  readonly chunkRows: number;
  readonly sections: Readonly<Record<string, Uint8Array>>;
};

/** A layer's weight to be written; packed when there are matrices, which all have one format and storage. */
export interface WeightContent extends Omit<WeightEntry, 'packed'> {
  readonly matrices: readonly PackedSections[];
}

export interface EspContent {
  readonly graph: Graph;
  readonly weights: readonly WeightContent[];
  readonly compiledFor: CompiledFor;
  /** What was done to the model, for people: plain JSON. */
  readonly history?: string | undefined;
}

/** A file as pieces in their order. */
export interface EspBytes {
  readonly parts: readonly Uint8Array[];
  readonly byteLength: number;
}

interface StoredTensor {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly bytes: readonly Uint8Array[];
}

/**
 * The bytes of a compiled model; docs/esp.md specifies them. The same content gives the same bytes.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when names or sizes are beyond what safetensors holds
 */
export function encodeEsp({ graph, weights, compiledFor, history }: EspContent): EspBytes {
  const names = new Names(['__metadata__', graphTensor, weightsTensor, hashTensor]);
  const packed: StoredTensor[] = [];
  const entries = weights.map(({ matrices, ...entry }): WeightEntry => {
    const [first] = matrices;
    if (first === undefined) return entry;
    const sections = packSections(entry.name, matrices, names);
    packed.push(...sections.map(({ tensor }) => tensor));
    return {
      ...entry,
      packed: {
        format: first.format,
        storage: first.storage,
        sections: Object.fromEntries(sections.map(({ section, tensor }) => [section, tensor.name])),
        matrices: matrices.map(({ rows, blockCols, chunkRows, sections: own }) => ({
          rows,
          blockCols,
          chunkRows,
          sizes: Object.fromEntries(Object.entries(own).map(([section, { length }]) => [section, length])),
        })),
      },
    };
  });
  const isPacked = new Set(entries.filter((entry) => entry.packed !== undefined).map(({ name }) => name));
  const plain = [...graph.constants]
    .filter(([name]) => !isPacked.has(name))
    .map(([name, data]) => ({ name, data, tensor: names.take(name) }));
  const locations = new Map(plain.map(({ name, tensor }) => [name, tensor]));
  const onnx = exportOnnx(graph, {
    external: (name) => ({ location: locations.get(name) ?? weightsTensor }),
  });
  const model = deflate(onnx);
  const list = deflate(new TextEncoder().encode(JSON.stringify(entries)));
  const head = [bytesTensor(graphTensor, model), bytesTensor(weightsTensor, padded(list, model.length))];
  const body = [...packed, ...plain.sort(byAlignment).map(({ data, tensor }) => storedTensor(tensor, data))];
  const metadata = {
    [versionKey]: String(espVersion),
    [compiledKey]: JSON.stringify(compiledFor),
    ...(history !== undefined && { [historyKey]: history }),
  };
  const hashes = { name: hashTensor, type: 'uint8', dims: [hashBytes] } as const;
  const header = encodeHeader(
    [...head, ...body, hashes].map(({ name, type, dims }) => [name, { type, dims }]),
    { metadata, alignment: sectionAlignment },
  );
  const headParts = [header, ...head.flatMap(({ bytes }) => bytes)];
  const bodyParts = body.flatMap(({ bytes }) => bytes);
  const parts = [...headParts, ...bodyParts, Buffer.concat([sha256(headParts), sha256(bodyParts)])];
  return { parts, byteLength: parts.reduce((sum, { byteLength }) => sum + byteLength, 0) };
}

/** Numbers of 64-byte multiples come first, so that all of them are aligned; then wide types before narrow ones. */
function byAlignment({ data: a }: { data: TensorData }, { data: b }: { data: TensorData }): number {
  const unaligned = ({ type, dims }: TensorData) => (byteCount(type, dims) % sectionAlignment === 0 ? 0 : 1);
  return unaligned(a) - unaligned(b) || bytesPerElement[b.type] - bytesPerElement[a.type];
}

/** One tensor for each kind of section, with those of all matrices one behind the other. */
function packSections(weight: string, matrices: readonly PackedSections[], names: Names) {
  const kinds = [...new Set(matrices.flatMap(({ sections }) => Object.keys(sections)))];
  return kinds.map((section) => {
    const bytes = matrices.flatMap((matrix) => {
      const own = matrix.sections[section] ?? new Uint8Array();
      return [own, new Uint8Array(alignSection(own.length) - own.length)];
    });
    const { format, storage } = matrices[0] as PackedSections;
    const type = sectionType(format, storage, section) ?? 'uint8';
    const count = bytes.reduce((sum, { length }) => sum + length, 0) / bytesPerElement[type];
    const tensor: StoredTensor = { name: names.take(`${weight}/${section}`), type, dims: [count], bytes };
    return { section, tensor };
  });
}

/** The bytes with zeros behind them, so that what follows them and the `before` bytes is aligned. */
function padded(bytes: Uint8Array, before: number): Uint8Array {
  const filled = new Uint8Array(alignSection(before + bytes.length) - before);
  filled.set(bytes);
  return filled;
}

function bytesTensor(name: string, bytes: Uint8Array): StoredTensor {
  return { name, type: 'uint8', dims: [bytes.length], bytes: [bytes] };
}

function storedTensor(name: string, { type, dims, bytes }: TensorData): StoredTensor {
  return { name, type, dims, bytes: [bytes] };
}

function sha256(parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Names that differ from all others. */
class Names {
  readonly #taken: Set<string>;

  constructor(taken: readonly string[]) {
    this.#taken = new Set(taken);
  }

  take(name: string): string {
    let free = name;
    while (this.#taken.has(free)) free += '_';
    this.#taken.add(free);
    return free;
  }
}
