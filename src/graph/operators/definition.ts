import { EspalierError } from '../../errors.js';
import type { DataType } from '../../tensor.js';
import { describeTensor, readNumbers } from '../data.js';
import type { Node, TensorData } from '../graph.js';
import { type Deciders, InputValuesNeeded } from '../input_values.js';

export interface TypeAndDims {
  readonly type: DataType;
  readonly dims: readonly number[];
}

/** What espalier knows about an operator in its canonical form (canonicalize.ts). */
export interface OperatorDefinition {
  /** Types and dims of the outputs. Throws EspalierErrors made by the context. */
  readonly infer: (context: OperatorContext) => readonly TypeAndDims[];
  /** Bytes of the outputs, computed as the runtime would, when every input is a constant. */
  readonly evaluate?: (context: OperatorContext, outputs: readonly TypeAndDims[]) => readonly Uint8Array[];
  /** The outputs depend on the dims of the inputs alone: Shape and Size fold although their input is not constant. */
  readonly evaluatesFromDims?: true;
  /** Whether the first output is the first input, element by element, so that the node can go. */
  readonly isIdentity?: (context: OperatorContext, outputs: readonly TypeAndDims[]) => boolean;
}

/** Operator definitions by name. */
export type OperatorFamily = Readonly<Record<string, OperatorDefinition>>;

/** A node needs the value of `value` beforehand, which is computed at run time: a session computes it, then plans on. */
export class UnknownValueError extends EspalierError {
  constructor(
    message: string,
    readonly value: string,
  ) {
    super('ERR_ESPALIER_UNSUPPORTED', message);
  }
}

/** A node with what is known of its inputs. */
export class OperatorContext {
  readonly node: Node;
  readonly #inputs: readonly (TypeAndDims | undefined)[];
  readonly #constants: readonly (TensorData | undefined)[];
  readonly #deciders: readonly (Deciders | undefined)[];

  /**
   * All lists run parallel to `node.inputs`; a left out input is undefined.
   * @param deciders the graph inputs whose values decide an input that is not constant, where they do so alone
   */
  constructor(
    node: Node,
    inputs: readonly (TypeAndDims | undefined)[],
    constants: readonly (TensorData | undefined)[],
    deciders: readonly (Deciders | undefined)[] = [],
  ) {
    this.node = node;
    this.#inputs = inputs;
    this.#constants = constants;
    this.#deciders = deciders;
  }

  get inputCount(): number {
    return this.#inputs.length;
  }

  has(index: number): boolean {
    return this.#inputs[index] !== undefined;
  }

  input(index: number): TypeAndDims {
    const input = this.#inputs[index];
    if (input === undefined) {
      const { name, op } = this.node;
      throw new EspalierError(
        'ERR_ESPALIER_MODEL',
        `Expected node ${name} (${op}) to have input ${index}, got none`,
      );
    }
    return input;
  }

  dims(index: number): readonly number[] {
    return this.input(index).dims;
  }

  type(index: number): DataType {
    return this.input(index).type;
  }

  /** The input's value; undefined when it is computed at run time. */
  constant(index: number): TensorData | undefined {
    return this.#constants[index];
  }

  /** Whether few values of graph inputs decide the input's value. */
  isDecidedByInputs(index: number): boolean {
    return this.#deciders[index]?.areFew === true;
  }

  /**
   * The input's value, which the node needs beforehand.
   * @throws InputValuesNeeded, or UnknownValueError when it depends on other run-time data
   */
  known(index: number): TensorData {
    const value = this.constant(index);
    if (value === undefined) throw this.unknown(index);
    return value;
  }

  /** The error for an input that is not known, where the node needs its value beforehand. */
  unknown(index: number): EspalierError {
    this.input(index);
    const deciders = this.#deciders[index];
    if (deciders !== undefined) return new InputValuesNeeded(deciders.inputs, this.node, index);
    const { name, op, inputs } = this.node;
    return new UnknownValueError(
      `Expected input ${index} (${inputs[index]}) of node ${name} (${op}) to be known before the run, ` +
        'got a value that depends on run-time data',
      inputs[index] ?? '',
    );
  }

  /**
   * The numbers of an input that the node's output dims depend on: axes, dims, counts.
   * @throws EspalierError ERR_ESPALIER_TYPE unless they are int32 or int64
   */
  numbers(index: number): number[] {
    const { type } = this.input(index);
    if (type !== 'int32' && type !== 'int64') {
      throw this.typeError(
        `input ${index} (${this.node.inputs[index]}) is expected to be int32 or int64, got ${type}`,
      );
    }
    return this.anyNumbers(index);
  }

  /** As {@link numbers}, of any type: scales and the like. */
  anyNumbers(index: number): number[] {
    return readNumbers(this.known(index));
  }

  /** An axis counted from the front; negative ones count from the end of `rank` axes. */
  normalizeAxis(axis: number, rank: number): number {
    if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
      throw this.shapeError(`axis ${axis} is outside [${-rank}, ${rank - 1}]`);
    }
    return axis < 0 ? axis + rank : axis;
  }

  normalizeAxes(axes: readonly number[], rank: number): number[] {
    const normalized = axes.map((axis) => this.normalizeAxis(axis, rank));
    if (new Set(normalized).size !== axes.length) throw this.shapeError(`axes [${axes.join(', ')}] repeat`);
    return normalized;
  }

  /** An error for dims that do not fit together; the message shows the shapes of all inputs. */
  shapeError(reason: string): EspalierError {
    return this.#error('ERR_ESPALIER_SHAPE', reason);
  }

  typeError(reason: string): EspalierError {
    return this.#error('ERR_ESPALIER_TYPE', reason);
  }

  unsupported(reason: string): EspalierError {
    return this.#error('ERR_ESPALIER_UNSUPPORTED', reason);
  }

  #error(
    code: 'ERR_ESPALIER_SHAPE' | 'ERR_ESPALIER_TYPE' | 'ERR_ESPALIER_UNSUPPORTED',
    reason: string,
  ): EspalierError {
    const { name, op, inputs } = this.node;
    const shapes = inputs.map((input, i) => {
      const known = this.#inputs[i];
      return known === undefined ? 'none' : `${input}: ${describeTensor(known)}`;
    });
    return new EspalierError(
      code,
      `Node ${name} (${op}): ${reason}, with inputs ${shapes.join('; ') || 'none'}`,
    );
  }
}
