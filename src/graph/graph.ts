import type { DataType } from '../tensor.js';

/** A dimension: a size, or the name of a symbolic one ('' when the model does not name it). */
export type Dim = number | string;

/** A value's type and dims as declared; `dims` is undefined when even the rank is unknown. */
export interface ValueInfo {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly Dim[] | undefined;
  /** Graphs inside nodes may leave inputs and outputs undeclared: then `type` says nothing. */
  readonly undeclared?: true;
}

/** A constant: row-major little-endian `bytes`, often an unaligned view onto the model file (never written to). */
export interface TensorData {
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly bytes: Uint8Array;
}

export type Attribute =
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'ints'; readonly value: readonly bigint[] }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: TensorData }
  | { readonly kind: 'graph'; readonly value: Graph };

/** One operator application. An optional input or output that is left out is ''. */
export interface Node {
  /** Unique in the graph. */
  readonly name: string;
  readonly op: string;
  /** '' is the default ONNX domain. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/**
 * A model in memory, as faithful to ONNX as import can be: the operators of the model's own opsets.
 * Immutable: a pass returns a new graph and shares what it did not change.
 */
export interface Graph {
  readonly name: string;
  /** Inputs a caller feeds: those that are also initializers are constants instead. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Topologically sorted. `Constant` nodes are constants instead. */
  readonly nodes: readonly Node[];
  /** Initializers and the values of `Constant` nodes, by name. */
  readonly constants: ReadonlyMap<string, TensorData>;
  /** Opset version by domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * A graph for one set of concrete input shapes: opset forms are upgraded to the newest one (see canonicalize.ts),
 * every value has a known type and dims, what could be computed beforehand is a constant, and dead nodes are gone.
 */
export interface StaticGraph extends Graph {
  /** Type and dims of every value: inputs, constants and node outputs. */
  readonly values: ReadonlyMap<string, { readonly type: DataType; readonly dims: readonly number[] }>;
}
