import { EspalierError } from '../../errors.js';
import type { Attribute, Graph, Node, TensorData } from '../graph.js';
import type { OperatorContext, TypeAndDims } from '../operators/definition.js';
import type { Scope } from './scope.js';

/** What control flow asks of the graph that it is written into. */
export interface Host {
  /** That of the model. */
  readonly opset: number;
  /** A name that no value has, made of this one. */
  fresh(name: string): string;
  define(name: string, data: TensorData): void;
  /** Values that some node of a body reads. */
  markUsed(names: readonly string[]): void;
  /** Adds a node of the model; `scope` says what its inputs are called. */
  write(node: Node, scope: Scope): void;
  /** Adds a node in canonical form. */
  add(node: Node): void;
  /** What to read instead of a value that is another one. */
  resolve(name: string): string;
  value(name: string): TypeAndDims;
  constant(name: string): TensorData | undefined;
  context(node: Node): OperatorContext;
  /** The nodes that were added so far, in canonical form. */
  readonly nodes: readonly Node[];
  /** Counts work of unrolling; ERR_ESPALIER_UNSUPPORTED beyond a bound. */
  spend(node: Node, work: number): void;
}

/** The graph in an attribute. @throws EspalierError ERR_ESPALIER_MODEL when it is missing or has other inputs or outputs. */
export function bodyOf(node: Node, name: string, counts: { inputs: number; outputs: number }): Graph {
  const attribute = node.attributes.get(name);
  if (attribute?.kind !== 'graph') throw malformed(node, `a graph as attribute ${name}`, 'none');
  const { inputs, outputs } = attribute.value;
  if (inputs.length !== counts.inputs || outputs.length !== counts.outputs) {
    throw malformed(
      node,
      `${name} with ${counts.inputs} inputs and ${counts.outputs} outputs`,
      `${inputs.length} and ${outputs.length}`,
    );
  }
  return attribute.value;
}

export function malformed(node: Node, expected: string, got: string): EspalierError {
  return new EspalierError(
    'ERR_ESPALIER_MODEL',
    `Expected node ${node.name} (${node.op}) to have ${expected}, got ${got}`,
  );
}

/** Gives a value the name of an output of `node`. */
export function giveOutput(host: Host, node: Node, output: string, value: string): void {
  if (output === '') return;
  host.add(helper(host, node, 'Identity', [value], [output]));
}

/** A canonical node in the place of `node`. */
export function helper(
  host: Host,
  node: Node,
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Node {
  return {
    name: host.fresh(`${node.name}/${op}`),
    op,
    domain: '',
    inputs,
    outputs,
    attributes: new Map(Object.entries(attributes)),
  };
}
