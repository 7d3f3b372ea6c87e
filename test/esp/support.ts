import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CompileOptions, compileModel } from '../../src/esp/index.js';
import { deflate, inflate } from '../../src/formats/esp/deflate.js';
import { decodeHeader, encodeHeader } from '../../src/formats/safetensors/index.js';
import type { Graph, TensorData } from '../../src/graph/graph.js';
import { Tensor } from '../../src/index.js';
import { applyPruning, planPruning } from '../../src/prune/index.js';
import type { Pattern } from '../../src/sparse/patterns.js';
import { mlp } from '../cli/models.js';

/** The bytes of a graph's compiled model. */
export function compiled(graph: Graph, options?: CompileOptions): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(compileModel(graph, options).parts));
}

export function prune(graph: Graph, pattern: Pattern, sparsity: number): Graph {
  return applyPruning(graph, planPruning(graph, { pattern, sparsity }));
}

/** x [batch, 32] -> MatMul, Relu, MatMul, with three quarters of 16x1 blocks gone: a few kB. */
export const smallGraph = (batch: number | string = 1): Graph => prune(mlp(batch), '16x1', 0.75);

/** x [n, 32] for {@link smallGraph}. */
export function smallFeed(n = 1): { x: Tensor<'float32'> } {
  return {
    x: new Tensor(
      'float32',
      Float32Array.from({ length: n * 32 }, (_, i) => Math.sin(i)),
      [n, 32],
    ),
  };
}

/** Runs a body with a folder of its own. */
export async function inFolder<T>(body: (at: (name: string) => string) => Promise<T> | T): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-esp-'));
  try {
    return await body((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What runs as zero is stored as zero: denormals and -0. */
export function asStored({ type, bytes }: TensorData): Uint8Array {
  if (type !== 'float32') return bytes;
  const bits = new Uint32Array(new Uint8Array(bytes).buffer);
  return new Uint8Array(bits.map((value) => ((value & 0x7f800000) === 0 ? 0 : value)).buffer);
}

/** The parts of a file that an attacker would change. */
export interface Forged {
  readonly metadata: Record<string, string>;
  /** In their order. */
  readonly tensors: ForgedTensor[];
}

type ForgedTensor = { name: string; type: TensorData['type']; dims: readonly number[]; bytes: Uint8Array };

/** Gives a tensor of bytes others, and the dims of those. */
export function replaceBytes(tensor: ForgedTensor | undefined, bytes: Uint8Array | undefined): void {
  if (tensor === undefined || bytes === undefined) throw new Error('Expected a tensor and bytes');
  Object.assign(tensor, { dims: [bytes.length], bytes });
}

/** The file after `edit`, with hashes that fit it: what does not come from damage but from someone who knows how. */
export function forge(file: Uint8Array, edit: (parts: Forged) => void): Uint8Array {
  const { entries, metadata, dataStart } = decodeHeader(file, file.byteLength, 'the file');
  const tensors = [...entries].map(([name, { type, dims, begin, end }]) => ({
    name,
    type,
    dims,
    bytes: file.slice(dataStart + begin, dataStart + end),
  }));
  const parts: Forged = { metadata: { ...metadata }, tensors };
  edit(parts);
  const header = encodeHeader(
    tensors.map(({ name, type, dims }) => [name, { type, dims }]),
    { metadata: parts.metadata, alignment: 64 },
  );
  const head = tensors.slice(0, 2).map(({ bytes }) => bytes);
  const body = tensors.slice(2, -1).map(({ bytes }) => bytes);
  const hash = (pieces: readonly Uint8Array[]) => createHash('sha256').update(Buffer.concat(pieces)).digest();
  const hashes = [hash([header, ...head]), hash(body)];
  return new Uint8Array(Buffer.concat([header, ...head, ...body, ...hashes]));
}

/** The JSON of the weights, edited. */
// biome-ignore lint/suspicious/noExplicitAny: a test puts anything there
export function forgeWeights(file: Uint8Array, edit: (weights: any) => unknown): Uint8Array {
  return forge(file, ({ tensors }) => {
    const weights = tensors[1];
    if (weights === undefined) throw new Error('Expected the weights to be the second tensor');
    const parsed = JSON.parse(new TextDecoder().decode(inflate(weights.bytes, weights.name)));
    edit(parsed);
    replaceBytes(weights, deflate(new TextEncoder().encode(JSON.stringify(parsed))));
  });
}
