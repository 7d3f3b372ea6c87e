import { EspalierError } from '../../errors.js';
import type { Graph, TensorData } from '../../graph/graph.js';
import { lazyTensor } from '../../graph/lazy.js';
import { elementCount } from '../../tensor.js';
import { importOnnx, type ResolveConstant } from '../onnx/index.js';
import { decodeHeader, headerEnd, isSafetensors, type SafetensorsHeader } from '../safetensors/index.js';
import { UnpackedMemory } from '../unpacked_memory.js';
import { inflate } from './deflate.js';
import type { PackedSections } from './encode.js';
import {
  type CompiledFor,
  compiledKey,
  espVersion,
  graphTensor,
  hashTensor,
  historyKey,
  versionKey,
  type WeightEntry,
  weightsTensor,
} from './layout.js';
import { type PackedPlace, placesOf, type Range } from './places.js';
import { parseCompiledFor, parseWeights } from './schema.js';
import { type ByteSource, checkHash } from './verify.js';

/** A layer's weight in a file. */
export interface StoredWeight extends WeightEntry {
  /** See {@link PackedLayout.matrices}; none when the weight is not packed. */
  readonly matrices: readonly PackedPlace[];
}

/** A compiled model; bytes of its constants are read when something asks for them. */
export interface EspFile {
  readonly graph: Graph;
  /** Weights of layers, by the graph's constant. */
  readonly weights: ReadonlyMap<TensorData, StoredWeight>;
  /** Where the other constants lie. */
  readonly places: ReadonlyMap<TensorData, Range>;
  readonly compiledFor: CompiledFor;
  readonly history: string | undefined;
}

/** The dense matrix of a packed one, [rows, cols]; see src/sparse/pack.ts. */
export type Unpack = (packed: PackedSections & { readonly cols: number }) => Float32Array;

/**
 * Reads a compiled model and checks its head, up to the end of `espalier.weights`, against its hash. What lies behind
 * that is read later and checked by whoever uses it.
 * @param what the file, for messages
 * @param unpack gives the dense form of a packed weight where one is needed
 * @throws EspalierError ERR_ESPALIER_MODEL when it is no such file, ERR_ESPALIER_UNSUPPORTED for other versions
 */
export function decodeEsp(source: ByteSource, what: string, unpack: Unpack): EspFile {
  const header = readHeader(source, what);
  checkVersion(header, what);
  checkOrder(header, what);
  checkHash(source, header, 'head', what);
  const read = (name: string) => inflate(source.read(...placed(header, name)), `${name} of ${what}`);
  const entries = parseWeights(new TextDecoder().decode(read(weightsTensor)), what);
  const stored = new Map(
    entries.map((entry) => [entry.name, { ...entry, matrices: placesOf(entry, header, what) }]),
  );
  const weights = new Map<TensorData, StoredWeight>();
  const places = new Map<TensorData, Range>();
  const memory = new UnpackedMemory(source.size);
  const resolveConstant: ResolveConstant = (name, { type, dims }, location) => {
    const weight = stored.get(name);
    if (weight !== undefined) checkFits(weight, type, dims, what);
    if (weight?.packed !== undefined) {
      let isCounted = false; // once, however often it is unpacked
      const data = lazyTensor(type, dims, () => {
        if (!isCounted) memory.take(4 * elementCount(dims), `weight ${JSON.stringify(name)} of ${what}`);
        isCounted = true;
        return unpackWeight(weight, source, unpack);
      });
      weights.set(data, weight);
      return data;
    }
    const entry = header.entries.get(location);
    if (entry === undefined || entry.type !== type || entry.dims.join() !== dims.join()) {
      const got = entry === undefined ? 'none' : `${entry.type} [${entry.dims.join(', ')}]`;
      throw invalid(what, `${type} [${dims.join(', ')}] for constant ${JSON.stringify(name)}`, got);
    }
    const place = { offset: header.dataStart + entry.begin, size: entry.end - entry.begin };
    const data = lazyTensor(type, dims, () => source.read(place.offset, place.size));
    places.set(data, place);
    if (weight !== undefined) weights.set(data, weight);
    return data;
  };
  return {
    graph: importOnnx(read(graphTensor), { name: what, resolveConstant }),
    weights,
    places,
    compiledFor: parseCompiledFor(header.metadata[compiledKey] ?? '', what),
    history: header.metadata[historyKey],
  };
}

/** Reads the header of a safetensors file. */
export function readHeader(source: ByteSource, what: string): SafetensorsHeader {
  const length = source.read(0, Math.min(8, source.size));
  return decodeHeader(source.read(0, headerEnd(length, source.size, what)), source.size, what);
}

/** Whether a safetensors file says that it is a compiled model. */
export function isCompiled({ metadata }: SafetensorsHeader): boolean {
  return metadata[versionKey] !== undefined;
}

/** Whether these are the bytes of a compiled model and not of another file. */
export function isCompiledBytes(bytes: Uint8Array): boolean {
  try {
    return isSafetensors(bytes) && isCompiled(decodeHeader(bytes, bytes.byteLength, 'the model'));
  } catch {
    return false; // a damaged file is one for whoever reads it
  }
}

function checkVersion({ metadata }: SafetensorsHeader, what: string): void {
  const version = metadata[versionKey];
  if (version === undefined)
    throw invalid(what, `"${versionKey}" in its metadata, as compiled models do`, 'another safetensors file');
  if (version !== String(espVersion)) {
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected ${what} to be of version ${espVersion}, got ${JSON.stringify(version)}: compile the model again`,
    );
  }
}

function checkOrder({ entries }: SafetensorsHeader, what: string): void {
  const names = [...entries.keys()];
  const ends = [names[0], names[1], names.at(-1)];
  const right = [graphTensor, weightsTensor, hashTensor];
  if (ends.join() !== right.join() || names.length < 3)
    throw invalid(what, `${right.join(', ')} as its first, second and last tensor`, ends.join(', '));
}

function placed({ entries, dataStart }: SafetensorsHeader, name: string): [offset: number, size: number] {
  const { begin, end } = entries.get(name) as { begin: number; end: number }; // checkOrder has seen it
  return [dataStart + begin, end - begin];
}

function checkFits(
  { name, view }: WeightEntry,
  type: TensorData['type'],
  dims: readonly number[],
  what: string,
): void {
  const elements = elementCount([view.groups, view.outputs, view.inputs]);
  if (type === 'float32' && elementCount(dims) === elements) return;
  const got = `${type} [${dims.join(', ')}]`;
  throw invalid(
    what,
    `${elements} float32 numbers, as its layer reads them, for weight ${JSON.stringify(name)}`,
    got,
  );
}

/** The bytes of a packed weight as the model states them. */
function unpackWeight(
  { view, packed, matrices }: StoredWeight,
  source: ByteSource,
  unpack: Unpack,
): Uint8Array {
  const { groups, outputs, inputs, transposed } = view;
  const dense = new Float32Array(groups * outputs * inputs);
  let at = 0;
  for (const { sections, ...matrix } of matrices) {
    const own = Object.fromEntries(
      Object.entries(sections).map(([section, { offset, size }]) => [section, source.read(offset, size)]),
    );
    dense.set(unpack({ ...matrix, sections: own }), at);
    at += matrix.rows * inputs;
  }
  if (packed === undefined || !transposed) return new Uint8Array(dense.buffer);
  const turned = new Float32Array(dense.length);
  for (let row = 0; row < outputs; row++) {
    for (let col = 0; col < inputs; col++) turned[col * outputs + row] = dense[row * inputs + col] as number;
  }
  return new Uint8Array(turned.buffer);
}

function invalid(what: string, expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_MODEL', `Expected ${what} to have ${expected}, got ${got}`);
}
