import { createHash } from 'node:crypto';
import ort from 'onnxruntime-node';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { readElements } from '../../src/graph/data.js';
import {
  type Attribute,
  fromNumbers,
  type Graph,
  type Node,
  type TensorData,
} from '../../src/graph/index.js';
import { bytesPerElement, type DataType, typedArrayOf } from '../../src/tensor.js';

/** A deterministic source of numbers in [0, 1) (mulberry32, a public domain generator by Tommy Ettinger). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const attributeOf = (value: unknown): Attribute => {
  if (typeof value === 'bigint') return { kind: 'int', value };
  if (typeof value === 'number') return { kind: 'float', value };
  if (typeof value === 'string') return { kind: 'string', value };
  if (Array.isArray(value)) {
    if (typeof value[0] === 'number') return { kind: 'floats', value };
    if (typeof value[0] === 'string') return { kind: 'strings', value };
    return { kind: 'ints', value };
  }
  if (typeof value === 'object' && value !== null && 'nodes' in value)
    return { kind: 'graph', value: value as Graph };
  return { kind: 'tensor', value: value as TensorData };
};

/** bigint: int, number: float, string: string, lists of those, TensorData: tensor, Graph: graph. */
export type Attributes = Readonly<
  Record<string, bigint | number | string | bigint[] | number[] | string[] | TensorData | Graph>
>;

export function node(op: string, inputs: string[], outputs: string[], attributes: Attributes = {}): Node {
  return {
    name: `${op}_${outputs.find((output) => output !== '')}`,
    op,
    domain: '',
    inputs,
    outputs,
    attributes: new Map(Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)])),
  };
}

export interface GraphParts {
  readonly opset: number;
  readonly inputs?: Readonly<Record<string, readonly [DataType, ...(number | string)[]]>>;
  readonly constants?: Readonly<Record<string, TensorData>>;
  readonly nodes: readonly Node[];
  /** Types of the outputs; their dims are left open. */
  readonly outputs: Readonly<Record<string, DataType>>;
}

/** A graph whose IR version is as old as its opset needs, so that onnxruntime reads it. */
export function buildGraph({ opset, inputs = {}, constants = {}, nodes, outputs }: GraphParts): Graph {
  return {
    name: 'test',
    inputs: Object.entries(inputs).map(([name, [type, ...dims]]) => ({ name, type, dims })),
    outputs: Object.entries(outputs).map(([name, type]) => ({ name, type, dims: undefined })),
    nodes,
    constants: new Map(Object.entries(constants)),
    opsets: new Map([
      ['', opset],
      ...nodes.flatMap(({ domain }) => (domain === '' ? [] : [[domain, 1] as const])),
    ]),
    metadata: { 'onnx.ir_version': opset < 9 ? '3' : opset < 19 ? '8' : '10' },
  };
}

export function floats(dims: readonly number[], values?: readonly number[], seed = 1): TensorData {
  const next = randomNumbers(seed);
  const count = dims.reduce((product, dim) => product * dim, 1);
  return fromNumbers('float32', dims, values ?? Array.from({ length: count }, () => next() * 4 - 2));
}

export function ints(values: readonly (number | bigint)[], type: DataType = 'int64'): TensorData {
  return fromNumbers(type, [values.length], values);
}

/** Runs a graph in onnxruntime. */
export async function runReference(
  graph: Graph,
  feeds: Readonly<Record<string, TensorData>> = {},
): Promise<Record<string, TensorData>> {
  // Graph optimizations would hide what the reference does with the model as it is.
  const session = await ort.InferenceSession.create(exportOnnx(graph), {
    logSeverityLevel: 3,
    graphOptimizationLevel: 'disabled',
  });
  const tensors = Object.entries(feeds).map(([name, data]) => [name, toOrt(data)] as const);
  const results = await session.run(Object.fromEntries(tensors));
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, fromOrt(tensor)]));
}

function toOrt({ type, dims, bytes }: TensorData): ort.Tensor {
  const copy = new Uint8Array(bytes).buffer;
  const data = new typedArrayOf[type](copy, 0, bytes.byteLength / bytesPerElement[type]);
  return new ort.Tensor(type as 'float32', data as Float32Array, dims);
}

function fromOrt(tensor: ort.Tensor): TensorData {
  const data = tensor.data as Float32Array;
  return {
    type: tensor.type as DataType,
    dims: tensor.dims,
    bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

/** Elements as numbers, for comparisons; 64-bit integers exact as strings. */
export function valuesOf(data: TensorData): (number | string)[] {
  return Array.from(readElements(data) as Iterable<number | bigint>, (value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}

/** Largest difference of two tensors over the largest value: 0 for equal ones, Infinity where only one is NaN. */
export function relativeError(actual: TensorData, expected: TensorData): number {
  const a = valuesOf(actual);
  const b = valuesOf(expected);
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let largest = 1e-30;
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i], b[i]];
    if (Object.is(x, y) || x === y) continue;
    if (typeof x === 'string' || typeof y === 'string') return Number.POSITIVE_INFINITY;
    const d = Math.abs((x ?? 0) - (y ?? 0));
    difference = Number.isNaN(d) ? Number.POSITIVE_INFINITY : Math.max(difference, d);
  }
  for (const value of b)
    if (typeof value === 'number' && Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  return difference / largest;
}

/** The graph with hashes for its constants' bytes: quick to compare, and short when it differs. */
export function withHashes(graph: Graph): object {
  const constants = [...graph.constants].map(([name, { type, dims, bytes }]) => {
    return [name, type, dims, createHash('sha256').update(bytes).digest('hex')];
  });
  return { ...graph, constants };
}
