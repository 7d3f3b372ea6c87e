import { readElements } from '../graph/data.js';
import type { Attribute, Graph, Node, TensorData, ValueInfo } from '../graph/graph.js';
import { type DataType, elementCount } from '../tensor.js';
import { type Difference, difference } from './difference.js';
import { countZeros } from './inspect_tensors.js';

/** What differs between two graphs besides the values of their constants. Empty lists where nothing does. */
export interface StructureDiff {
  /** Inputs, outputs and opsets that are not the same: `input x: float32 [1, 4] -> float32 [1, 8]`. */
  readonly interface: readonly string[];
  /** Nodes by name. */
  readonly onlyInA: readonly string[];
  readonly onlyInB: readonly string[];
  /** Nodes of both that have another operator, other values or attributes. */
  readonly changed: readonly string[];
}

/** A tensor of two files. */
export interface TensorDiff {
  readonly name: string;
  readonly a: TensorSide | null;
  readonly b: TensorSide | null;
  /** Null where one is missing or the dims are not the same. */
  readonly difference: Difference | null;
}

export interface TensorSide {
  readonly type: DataType;
  readonly dims: readonly number[];
  /** Share of zeros. */
  readonly sparsity: number;
}

/** Nodes and interface of two graphs. */
export function diffStructure(a: Graph, b: Graph): StructureDiff {
  const [ours, theirs] = [byName(a.nodes), byName(b.nodes)];
  const changed = a.nodes.filter((node) => {
    const other = theirs.get(node.name);
    return other !== undefined && describeNode(node) !== describeNode(other);
  });
  return {
    interface: [
      ...diffTexts('input', texts(a.inputs), texts(b.inputs)),
      ...diffTexts('output', texts(a.outputs), texts(b.outputs)),
      ...diffTexts('opset', opsets(a), opsets(b)),
    ],
    onlyInA: a.nodes.filter(({ name }) => !theirs.has(name)).map(({ name }) => name),
    onlyInB: b.nodes.filter(({ name }) => !ours.has(name)).map(({ name }) => name),
    changed: changed.map(({ name }) => name),
  };
}

/**
 * Each tensor that either file has, in the order of the first.
 * @param onProgress called with the share that is done, in [0, 1]
 */
export function diffTensors(
  a: ReadonlyMap<string, TensorData>,
  b: ReadonlyMap<string, TensorData>,
  onProgress: (share: number) => void = () => {},
): TensorDiff[] {
  const names = [...new Set([...a.keys(), ...b.keys()])];
  return names.map((name, i) => {
    const [ours, theirs] = [a.get(name), b.get(name)];
    const comparable = ours !== undefined && theirs !== undefined && sameDims(ours, theirs);
    const result = {
      name,
      a: side(ours),
      b: side(theirs),
      difference: comparable ? difference(readElements(ours), readElements(theirs)) : null,
    };
    onProgress((i + 1) / names.length);
    return result;
  });
}

function side(tensor: TensorData | undefined): TensorSide | null {
  if (tensor === undefined) return null;
  const { type, dims } = tensor;
  return { type, dims, sparsity: countZeros(tensor) / Math.max(1, elementCount(dims)) };
}

function sameDims(a: TensorData, b: TensorData): boolean {
  return a.dims.length === b.dims.length && a.dims.every((dim, axis) => dim === b.dims[axis]);
}

function byName(nodes: readonly Node[]): ReadonlyMap<string, Node> {
  return new Map(nodes.map((node) => [node.name, node]));
}

/** All that a node says, as text to compare: attributes in any order. */
function describeNode({ op, domain, inputs, outputs, attributes }: Node): string {
  const sorted = [...attributes].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([op, domain, inputs, outputs, sorted.map(([name, value]) => [name, plain(value)])]);
}

/** An attribute as JSON can hold it, every value told apart from every other. */
function plain({ kind, value }: Attribute): unknown {
  switch (kind) {
    case 'int':
      return [kind, String(value)];
    case 'ints':
      return [kind, value.map(String)];
    case 'tensor':
      return [kind, value.type, value.dims, Buffer.from(value.bytes).toString('base64')];
    case 'graph':
      return [kind, texts(value.inputs), texts(value.outputs), value.nodes.map(describeNode)];
    case 'float':
      return [kind, String(value)];
    case 'floats':
      return [kind, value.map(String)];
    default:
      return [kind, value];
  }
}

function texts(values: readonly ValueInfo[]): [string, string][] {
  return values.map(({ name, type, dims }) => [name, `${type} [${dims?.join(', ') ?? '...'}]`]);
}

function opsets(graph: Graph): [string, string][] {
  return [...graph.opsets].map(([domain, version]) => [domain || 'ai.onnx', String(version)]);
}

function diffTexts(kind: string, a: readonly [string, string][], b: readonly [string, string][]): string[] {
  const [ours, theirs] = [new Map(a), new Map(b)];
  return [...new Set([...ours.keys(), ...theirs.keys()])]
    .filter((name) => ours.get(name) !== theirs.get(name))
    .map((name) => `${kind} ${name}: ${ours.get(name) ?? 'none'} -> ${theirs.get(name) ?? 'none'}`);
}
