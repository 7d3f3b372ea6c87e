import { elementCount } from '../../tensor.js';
import { intValue } from '../attributes.js';
import { fromNumbers, int64List } from '../data.js';
import type { Attribute, TensorData } from '../graph.js';
import type { OperatorContext, TypeAndDims } from '../operators/definition.js';
import { codeOfType } from '../type_codes.js';

/**
 * A node as nodes of other operators. It adds them through the decomposer, in order, and gives the values that are the
 * node's outputs; undefined where this form of the node is better kept whole.
 */
export type Decomposition = (
  context: OperatorContext,
  decomposer: Decomposer,
) => readonly string[] | undefined;

/** Decompositions by operator. */
export type DecompositionFamily = Readonly<Record<string, Decomposition>>;

/** What a decomposition builds with. Each value is known by type and dims as soon as it is added. */
export interface Decomposer {
  readonly constant: (data: TensorData) => string;
  /** Adds a node and gives its `count` outputs. */
  readonly nodes: (
    op: string,
    inputs: readonly string[],
    count: number,
    attributes?: Readonly<Record<string, Attribute>>,
  ) => readonly string[];
  readonly valueOf: (name: string) => TypeAndDims;
}

/** The words that decompositions are written in. */
export class Words {
  constructor(readonly decomposer: Decomposer) {}

  /** Adds a node with one output. */
  op(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    return this.decomposer.nodes(op, inputs, 1, attributes)[0] ?? '';
  }

  dims(name: string): readonly number[] {
    return this.decomposer.valueOf(name).dims;
  }

  /** One number of the type that `like` has. */
  scalar(value: number, like: string): string {
    return this.decomposer.constant(fromNumbers(this.decomposer.valueOf(like).type, [], [value]));
  }

  constant(type: TypeAndDims['type'], dims: readonly number[], values: readonly (number | bigint)[]): string {
    return this.decomposer.constant(fromNumbers(type, dims, values));
  }

  list(values: readonly number[]): string {
    return this.decomposer.constant(int64List(values));
  }

  add = (a: string, b: string) => this.op('Add', [a, b]);
  sub = (a: string, b: string) => this.op('Sub', [a, b]);
  mul = (a: string, b: string) => this.op('Mul', [a, b]);
  div = (a: string, b: string) => this.op('Div', [a, b]);
  where = (condition: string, yes: string, no: string) => this.op('Where', [condition, yes, no]);

  reshape(x: string, dims: readonly number[]): string {
    return this.op('Reshape', [x, this.list(dims)], { allowzero: intValue(1) });
  }

  transpose(x: string, order: readonly number[]): string {
    return this.op('Transpose', [x], { perm: { kind: 'ints', value: order.map(BigInt) } });
  }

  cast(x: string, type: TypeAndDims['type']): string {
    return this.op('Cast', [x], { to: intValue(codeOfType[type]) });
  }

  expand(x: string, dims: readonly number[]): string {
    return this.op('Expand', [x, this.list(dims)]);
  }

  gather(x: string, indices: string, axis: number): string {
    return this.op('Gather', [x, indices], { axis: intValue(axis) });
  }

  slice(x: string, axis: number, start: number, end: number, step = 1): string {
    return this.op('Slice', [x, ...[start, end, axis, step].map((value) => this.list([value]))]);
  }

  reduce(op: string, x: string, axes: readonly number[], keep = true): string {
    return this.op(op, [x, this.list(axes)], {
      keepdims: intValue(keep ? 1 : 0),
      noop_with_empty_axes: intValue(1),
    });
  }

  /** `count` copies of one number of the type that `like` has. */
  filled(value: number, dims: readonly number[], like: string): string {
    const { type } = this.decomposer.valueOf(like);
    return this.constant(type, dims, new Array<number>(elementCount(dims)).fill(value));
  }
}

/** Whether float32 kernels compute values of the type: 16-bit floats are widened for them. */
export function hasKernels(type: TypeAndDims['type']): boolean {
  return type === 'float32' || type === 'float16' || type === 'bfloat16';
}
