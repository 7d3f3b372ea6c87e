import { EspalierError } from '../errors.js';
import { type DataType, elementCount } from '../tensor.js';
import { floatsValue, floatValue, intsValue, intValue, stringValue } from './attributes.js';
import { canonicalOpset } from './canonicalize.js';
import { byteCount, fromNumbers, int64List } from './data.js';
import type { Attribute, Graph, Node, TensorData, ValueInfo } from './graph.js';
import { OperatorContext, type TypeAndDims } from './operators/definition.js';
import { operators } from './operators/registry.js';
import { sortGraph } from './order.js';

/**
 * An attribute as it is written: whole numbers are ints, but for the names that ONNX keeps for floats (`alpha`,
 * `epsilon`, ...). An {@link Attribute} says its kind itself. `undefined` leaves the attribute out.
 */
export type PlainAttribute = number | string | readonly number[] | Attribute | undefined;

/** Attributes of ONNX's operators that are floats whatever their value. */
const floatNames = new Set([
  'alpha',
  'beta',
  'gamma',
  'epsilon',
  'momentum',
  'lambd',
  'bias',
  'cubic_coeff_a',
  'extrapolation_value',
  'scales',
]);

/**
 * Writes a graph, node by node, in the forms of opset 21. A value is named by a string, which every method that makes
 * one returns. Types and dims are inferred on the way, so a node that does not fit is an error where it is added.
 *
 * ```js
 * const b = new GraphBuilder('policy');
 * const x = b.input('observation', [1, 48]);
 * const y = b.node('Relu', [b.node('MatMul', [x, b.constant([48, 12], weights, 'weight')])]);
 * const graph = b.output('action', y).build();
 * ```
 */
export class GraphBuilder {
  readonly #name: string;
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<string, TensorData>();
  readonly #values = new Map<string, TypeAndDims>();
  readonly #names = new Set<string>();
  /** The last number that made a name unique. */
  readonly #numbers = new Map<string, number>();

  constructor(name = 'graph') {
    this.#name = name;
  }

  /** Adds an input of the graph; all its dims are numbers. */
  input(name: string, dims: readonly number[], type: DataType = 'float32'): string {
    this.#claim(name);
    this.#inputs.push({ name, type, dims: [...dims] });
    this.#values.set(name, { type, dims: [...dims] });
    return name;
  }

  /**
   * Adds a float32 constant of row-major values, or any {@link TensorData}.
   * @throws EspalierError ERR_ESPALIER_SHAPE when there are more or fewer values than the dims say
   */
  constant(dims: readonly number[], values: ArrayLike<number>, name?: string): string {
    if (values instanceof Float32Array) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      return this.tensor({ type: 'float32', dims: [...dims], bytes }, name);
    }
    return this.tensor(fromNumbers('float32', dims, Array.from(values)), name);
  }

  /** Adds a constant of any type. @throws EspalierError ERR_ESPALIER_SHAPE when its bytes do not fit its dims */
  tensor(data: TensorData, wanted?: string): string {
    if (data.bytes.byteLength !== byteCount(data.type, data.dims)) {
      throw new EspalierError(
        'ERR_ESPALIER_SHAPE',
        `Expected ${elementCount(data.dims)} values of ${data.type} for dims [${data.dims.join(', ')}], ` +
          `got ${data.bytes.byteLength} bytes`,
      );
    }
    const name = wanted ?? this.#fresh('constant');
    if (wanted !== undefined) this.#claim(wanted);
    this.#constants.set(name, data);
    this.#values.set(name, { type: data.type, dims: data.dims });
    return name;
  }

  /** A one-dimensional int64 constant: shapes, axes, pads. */
  ints(values: readonly number[]): string {
    return this.tensor(int64List(values));
  }

  scalar(value: number, type: DataType = 'float32'): string {
    return this.tensor(fromNumbers(type, [], [value]));
  }

  /** Adds a node of one output and returns the name of it; an optional input that is left out is ''. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, PlainAttribute>> = {},
    name?: string,
  ): string {
    return this.nodes(op, inputs, 1, attributes, name)[0] as string;
  }

  /**
   * Adds a node of several outputs.
   * @param name name of the node: a number makes it unique
   * @throws EspalierError ERR_ESPALIER_UNSUPPORTED for an operator espalier does not know, ERR_ESPALIER_MODEL for an
   *   input that is no value, ERR_ESPALIER_SHAPE and ERR_ESPALIER_TYPE for inputs that do not fit
   */
  nodes(
    op: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Readonly<Record<string, PlainAttribute>> = {},
    name = op,
  ): string[] {
    const own = this.#fresh(name);
    const given = Object.entries(attributes).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, attributeOf(key, value)] as const],
    );
    const names = Array.from({ length: outputs }, (_, i) =>
      this.#fresh(i === 0 ? `${own}:0` : `${own}:${i}`),
    );
    const node = {
      name: own,
      op,
      domain: '',
      inputs: [...inputs],
      outputs: names,
      attributes: new Map(given),
    };
    this.#infer(node).forEach((value, i) => {
      if (names[i] !== undefined) this.#values.set(names[i], value);
    });
    this.#nodes.push(node);
    return names;
  }

  /** Declares an output: `value` under the name that callers see. */
  output(name: string, value: string): this {
    const { type, dims } = this.info(value);
    this.#claim(name);
    this.#nodes.push({
      name: this.#fresh(`output ${name}`),
      op: 'Identity',
      domain: '',
      inputs: [value],
      outputs: [name],
      attributes: new Map(),
    });
    this.#outputs.push({ name, type, dims });
    return this;
  }

  /** Type and dims of a value. @throws EspalierError ERR_ESPALIER_MODEL when there is none of this name */
  info(value: string): TypeAndDims {
    const info = this.#values.get(value);
    if (info !== undefined) return info;
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected a value of the graph, got ${JSON.stringify(value)}`,
    );
  }

  dims(value: string): readonly number[] {
    return this.info(value).dims;
  }

  /** The graph so far. @throws EspalierError ERR_ESPALIER_MODEL when it has no output */
  build(): Graph {
    if (this.#outputs.length === 0)
      throw new EspalierError(
        'ERR_ESPALIER_MODEL',
        `Expected graph "${this.#name}" to have an output, got none`,
      );
    return sortGraph({
      name: this.#name,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      nodes: [...this.#nodes],
      constants: new Map(this.#constants),
      opsets: new Map([['', canonicalOpset]]),
      metadata: {},
    });
  }

  #infer(node: Node): readonly TypeAndDims[] {
    const definition = operators.get(node.op);
    if (definition === undefined) {
      throw new EspalierError(
        'ERR_ESPALIER_UNSUPPORTED',
        `Expected an operator that espalier knows, got ${node.op} in node ${node.name}`,
      );
    }
    return definition.infer(
      new OperatorContext(
        node,
        node.inputs.map((input) => (input === '' ? undefined : this.info(input))),
        node.inputs.map((input) => this.#constants.get(input)),
      ),
    );
  }

  #claim(name: string): void {
    if (name === '' || this.#names.has(name))
      throw new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected a new name, got ${JSON.stringify(name)}`);
    this.#names.add(name);
  }

  #fresh(wanted: string): string {
    let name = wanted;
    let number = this.#numbers.get(wanted) ?? 1;
    while (this.#names.has(name)) name = `${wanted}_${++number}`;
    this.#numbers.set(wanted, number);
    this.#names.add(name);
    return name;
  }
}

function attributeOf(name: string, value: Exclude<PlainAttribute, undefined>): Attribute {
  if (typeof value === 'string') return stringValue(value);
  if (typeof value === 'number') {
    return floatNames.has(name) || !Number.isInteger(value) ? floatValue(value) : intValue(value);
  }
  if ('kind' in value) return value;
  return floatNames.has(name) || !value.every(Number.isInteger) ? floatsValue(value) : intsValue(value);
}
