import { readNumbers } from '../../../graph/data.js';
import type { Attribute, Node, TensorData } from '../../../graph/graph.js';
import type { Selection } from '../selection.js';

/** What an edit may ask and create. */
export interface EditContext {
  readonly selection: Selection;
  /** Values that are known beforehand, as they were. */
  readonly known: ReadonlyMap<string, TensorData>;
  /** Whether a value is stored in the graph, not computed. */
  readonly isStored: (value: string) => boolean;
  /** Adds a constant and gives its name. */
  readonly constant: (node: Node, hint: string, data: TensorData) => string;
  /** A new value or node name, made of the node's and a hint. */
  readonly fresh: (node: Node, hint: string) => string;
}

/** A node for values of other dims than before: itself, or nodes in its place, in order. */
export type Edit = (node: Node, context: EditContext) => readonly Node[];

export function withAttribute(node: Node, name: string, value: Attribute): Node {
  return { ...node, attributes: new Map([...node.attributes, [name, value]]) };
}

export function withInput(node: Node, index: number, name: string): Node {
  const inputs = [...node.inputs];
  while (inputs.length < index) inputs.push('');
  inputs[index] = name;
  return { ...node, inputs };
}

/** A node of one output, named after the one it helps. */
export function helper(
  node: Node,
  { fresh }: EditContext,
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): Node {
  return {
    name: fresh(node, op),
    op,
    domain: '',
    inputs,
    outputs: [output],
    attributes: new Map(Object.entries(attributes)),
  };
}

/** New index of every old one. */
export function newIndices(kept: Int32Array): Map<number, number> {
  return new Map(Array.from(kept, (old, index) => [old, index]));
}

/** Numbers of a value that is known beforehand. */
export function numbersOf({ known }: EditContext, value: string): number[] | undefined {
  const data = known.get(value);
  return data === undefined ? undefined : readNumbers(data);
}
