import { EspalierError } from '../errors.js';
import type { Attribute, Node, TensorData } from './graph.js';

type Kind = Attribute['kind'];
type ValueOf<K extends Kind> = Extract<Attribute, { kind: K }>['value'];

/** The attribute's value, `undefined` when the node has none; ERR_ESPALIER_MODEL when it is of another kind. */
function attribute<K extends Kind>(node: Node, name: string, kind: K): ValueOf<K> | undefined {
  const found = node.attributes.get(name);
  if (found === undefined) return undefined;
  if (found.kind !== kind) {
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected attribute ${name} of node ${node.name} (${node.op}) to be of kind ${kind}, got ${found.kind}`,
    );
  }
  return found.value as ValueOf<K> | undefined;
}

/** The nearest safe integer: ONNX writes "to the end" as 2^63 - 1. */
export function clampToSafe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER;
  if (value < BigInt(Number.MIN_SAFE_INTEGER)) return Number.MIN_SAFE_INTEGER;
  return Number(value);
}

/** An int64 attribute, clamped to the safe integers. */
export function intAttribute<D extends number | undefined>(
  node: Node,
  name: string,
  fallback: D,
): number | D {
  const value = attribute(node, name, 'int');
  return value === undefined ? fallback : clampToSafe(value);
}

/** A list of int64, each clamped to the safe integers; `undefined` when the node has none. */
export function intsAttribute(node: Node, name: string): number[] | undefined {
  return attribute(node, name, 'ints')?.map(clampToSafe);
}

export function floatAttribute<D extends number | undefined>(
  node: Node,
  name: string,
  fallback: D,
): number | D {
  return attribute(node, name, 'float') ?? fallback;
}

export function floatsAttribute(node: Node, name: string): readonly number[] | undefined {
  return attribute(node, name, 'floats');
}

export function stringsAttribute(node: Node, name: string): readonly string[] | undefined {
  return attribute(node, name, 'strings');
}

/** A string attribute, which must be one of `choices`. */
export function choiceAttribute<C extends string>(
  node: Node,
  name: string,
  choices: readonly C[],
  fallback: C,
): C {
  const value = attribute(node, name, 'string');
  if (value === undefined) return fallback;
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) {
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected attribute ${name} of node ${node.name} (${node.op}) to be one of ${choices.join(', ')}, ` +
        `got ${JSON.stringify(value)}`,
    );
  }
  return choice;
}

export function tensorAttribute(node: Node, name: string): TensorData | undefined {
  return attribute(node, name, 'tensor');
}

export const intValue = (value: number): Attribute => ({ kind: 'int', value: BigInt(value) });
export const intsValue = (value: readonly number[]): Attribute => ({
  kind: 'ints',
  value: value.map(BigInt),
});
export const floatValue = (value: number): Attribute => ({ kind: 'float', value });
export const stringValue = (value: string): Attribute => ({ kind: 'string', value });
export const floatsValue = (value: readonly number[]): Attribute => ({ kind: 'floats', value });
