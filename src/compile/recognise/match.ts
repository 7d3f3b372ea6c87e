import { readNumbers } from '../../graph/data.js';
import type { Attribute, Node, StaticGraph } from '../../graph/graph.js';
import { elementCount } from '../../tensor.js';

/** A node that may be the last one of a pattern, and the graph around it. */
export interface Match {
  readonly graph: StaticGraph;
  readonly producers: ReadonlyMap<string, Node>;
  readonly uses: ReadonlyMap<string, number>;
  readonly node: Node;
}

/** The one number a float32 constant holds. */
export function scalar(graph: StaticGraph, name: string | undefined): number | undefined {
  const data = graph.constants.get(name ?? '');
  return data?.type === 'float32' && elementCount(data.dims) === 1 ? readNumbers(data)[0] : undefined;
}

export function isFloat(graph: StaticGraph, name: string | undefined): boolean {
  return graph.values.get(name ?? '')?.type === 'float32';
}

export function replaceWith(
  node: Node,
  op: string,
  input: string,
  attributes: readonly [string, Attribute][] = [],
): Node {
  return { ...node, op, inputs: [input], attributes: new Map(attributes) };
}

export const near = (a: number | undefined, b: number) => a !== undefined && Math.abs(a - b) < 1e-6;

/** Mul's other operand when one operand is `x`. */
export function otherOperand(node: Node, x: string): string | undefined {
  if (node.inputs[0] === x) return node.inputs[1];
  return node.inputs[1] === x ? node.inputs[0] : undefined;
}
