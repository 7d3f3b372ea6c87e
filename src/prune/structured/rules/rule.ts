import { readNumbers } from '../../../graph/data.js';
import type { Node, TensorData } from '../../../graph/graph.js';
import type { Positions } from '../positions.js';

/** Says which positions of a node's inputs and outputs can only be removed together, and which not at all. */
export type Rule = (links: Links) => void;

/** Rules by operator, in canonical form. */
export type RuleFamily = Readonly<Record<string, Rule>>;

/** A node, and the positions around it to link. */
export class Links {
  readonly node: Node;
  readonly positions: Positions;
  readonly #constants: ReadonlyMap<string, TensorData>;
  readonly #squares: ReadonlySet<string>;

  /** @param squares names of values that are squares of others */
  constructor(
    node: Node,
    positions: Positions,
    constants: ReadonlyMap<string, TensorData>,
    squares: ReadonlySet<string>,
  ) {
    this.node = node;
    this.positions = positions;
    this.#constants = constants;
    this.#squares = squares;
  }

  /** Name of an input, undefined when it is left out. */
  input(index: number): string | undefined {
    return this.node.inputs[index] || undefined;
  }

  get output(): string {
    return this.node.outputs[0] ?? '';
  }

  dims(value: string | undefined): readonly number[] {
    return value === undefined ? [] : this.positions.dims(value);
  }

  isConstant(value: string | undefined): boolean {
    return value !== undefined && this.#constants.has(value);
  }

  isSquare(value: string | undefined): boolean {
    return value !== undefined && this.#squares.has(value);
  }

  /** Numbers of an input that is known beforehand. */
  numbers(index: number): number[] | undefined {
    const data = this.#constants.get(this.input(index) ?? '');
    return data === undefined ? undefined : readNumbers(data);
  }

  link(a: string, axisA: number, indexA: number, b: string, axisB: number, indexB: number): void {
    this.positions.unite(this.positions.at(a, axisA, indexA), this.positions.at(b, axisB, indexB));
  }

  /** Index by index; nothing where the sizes differ, as one of them is repeated. */
  linkAxes(a: string | undefined, axisA: number, b: string | undefined, axisB: number): void {
    if (a === undefined || b === undefined) return;
    const size = this.dims(a)[axisA] ?? 1;
    if (size === 1 || size !== this.dims(b)[axisB]) return;
    for (let i = 0; i < size; i++) this.link(a, axisA, i, b, axisB, i);
  }

  /** Every axis of `a` with the axis of `b` it is broadcast to, counted from the last; `b` may leave out some of the end. */
  linkBroadcast(a: string | undefined, b: string, end = this.dims(b).length): void {
    if (a === undefined) return;
    const rank = this.dims(a).length;
    for (let axis = 0; axis < rank; axis++) this.linkAxes(a, axis, b, axis - rank + end);
  }

  /** `why` follows "the operator ...". For `moves` and `narrows` see {@link Pin}. */
  pinAxis(value: string | undefined, axis: number, why: string, moves = false, narrows = false): void {
    if (value === undefined) return;
    const { op, name } = this.node;
    const pin = { reason: `${op} "${name}" ${why}`, moves, narrows };
    const size = this.dims(value)[axis] ?? 0;
    for (let i = 0; i < size; i++) this.positions.pin(this.positions.at(value, axis, i), pin);
  }

  pinAll(value: string | undefined, why: string): void {
    for (let axis = 0; axis < this.dims(value).length; axis++) this.pinAxis(value, axis, why);
  }

  /** Pins everything the node touches. */
  refuse(why: string): void {
    for (const value of [...this.node.inputs, ...this.node.outputs])
      if (value !== '') this.pinAll(value, why);
  }
}
