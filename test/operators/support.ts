import ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { fromNumbers, type Graph, type Node, specialize, type TensorData } from '../../src/graph/index.js';
import { codeOfType } from '../../src/graph/type_codes.js';
import { InferenceSession, type SessionOptions, Tensor, type TensorMap } from '../../src/index.js';
import { type DataType, elementCount, typedArrayOf } from '../../src/tensor.js';
import { type Attributes, buildGraph, node, randomNumbers } from '../graph/support.js';

/** What a test writes: whole numbers and lists of them are integers unless ONNX wants floats under that name. */
export type Plain = Readonly<
  Record<string, number | string | readonly number[] | readonly string[] | Graph | undefined>
>;

const floatNames = new Set([
  ...['alpha', 'beta', 'gamma', 'epsilon', 'scales', 'min', 'max', 'value', 'clip'],
  ...['activation_alpha', 'activation_beta', 'activation_params', 'scale', 'softcap'],
]);

function attributesOf(plain: Plain): Attributes {
  const entries = Object.entries(plain).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => {
      const isPlain = typeof value === 'string' || (typeof value === 'object' && !Array.isArray(value));
      if (isPlain || floatNames.has(name) || typeof (value as string[])[0] === 'string') return [name, value];
      return [name, Array.isArray(value) ? value.map(BigInt) : BigInt(value as number)];
    }),
  ) as Attributes;
}

/** Values to fill a tensor with: a list, a function of the position, or random ones when left out. */
export type Fill = readonly (number | bigint)[] | ((index: number) => number);

/** Writes a small graph and makes data for it: `m.output(m.node('Relu', [m.input('float32', [2, 3])]))`. */
export class Model {
  readonly feeds: Record<string, Tensor> = {};
  readonly random: () => number;
  readonly #inputs: Record<string, readonly [DataType, ...(number | string)[]]> = {};
  readonly #constants: Record<string, TensorData> = {};
  readonly #nodes: Node[] = [];
  readonly #outputs: string[] = [];

  constructor(
    readonly opset = 21,
    seed = 1,
  ) {
    this.random = randomNumbers(seed);
  }

  /** A whole number in [low, high]. */
  int(low: number, high: number): number {
    return low + Math.floor(this.random() * (high - low + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)] as T;
  }

  /** An input with data for it. */
  input(type: DataType, dims: readonly number[], fill?: Fill): string {
    const name = `input${Object.keys(this.#inputs).length}`;
    const { bytes } = this.#data(type, dims, fill);
    const data = new typedArrayOf[type](bytes.slice().buffer);
    this.#inputs[name] = [type, ...dims];
    this.feeds[name] = new Tensor(type, data, dims);
    return name;
  }

  constant(type: DataType, dims: readonly number[], fill?: Fill): string {
    const name = `constant${Object.keys(this.#constants).length}`;
    this.#constants[name] = this.#data(type, dims, fill);
    return name;
  }

  /** A one-dimensional int64 constant: shapes, axes, pads. */
  list(values: readonly number[]): string {
    return this.constant('int64', [values.length], values);
  }

  scalar(value: number, type: DataType = 'float32'): string {
    return this.constant(type, [], [value]);
  }

  /** Adds a node and gives the name of its output. */
  node(op: string, inputs: readonly string[], attributes: Plain = {}): string {
    return this.nodes(op, inputs, 1, attributes)[0] as string;
  }

  /**
   * Adds a node of several outputs, or of those that are true; an operator of another domain than ONNX's has it in its
   * name.
   */
  nodes(
    name: string,
    inputs: readonly string[],
    outputs: number | readonly boolean[],
    attributes: Plain = {},
  ): string[] {
    const first = this.#nodes.length;
    const given = typeof outputs === 'number' ? new Array<boolean>(outputs).fill(true) : outputs;
    const names = given.map((isGiven, i) => (isGiven ? `value${first}_${i}` : ''));
    const dot = name.lastIndexOf('.');
    const [domain, op] = [name.slice(0, Math.max(0, dot)), name.slice(dot + 1)];
    this.#nodes.push({ ...node(op, [...inputs], names, attributesOf(attributes)), domain });
    return names;
  }

  cast(input: string, to: DataType): string {
    return this.node('Cast', [input], { to: codeOfType[to] });
  }

  output(...names: readonly string[]): this {
    this.#outputs.push(...names);
    return this;
  }

  /** The graph of what was written; its outputs' types are those espalier infers, which onnxruntime then checks. */
  graph(): Graph {
    const { values } = specialize(
      this.#graphOf(() => 'float32'),
      new Map(),
    );
    return this.#graphOf((name) => values.get(name)?.type ?? 'float32');
  }

  #graphOf(typeOf: (name: string) => DataType): Graph {
    const outputs = this.#outputs.map((name) => [name, typeOf(name)] as const);
    const graph = buildGraph({
      opset: this.opset,
      inputs: this.#inputs,
      constants: this.#constants,
      nodes: this.#nodes,
      outputs: Object.fromEntries(outputs),
    });
    return { ...graph, outputs: outputs.map(([name, type]) => ({ name, type, dims: undefined })) };
  }

  #data(type: DataType, dims: readonly number[], fill?: Fill): TensorData {
    const float = type.startsWith('float');
    const small = type === 'bool' ? 2 : type.startsWith('u') ? 10 : 21;
    const random = () =>
      float ? this.random() * 4 - 2 : Math.floor(this.random() * small) - (small === 21 ? 10 : 0);
    const valueAt = typeof fill === 'function' ? fill : random;
    const values = Array.isArray(fill)
      ? fill
      : Array.from({ length: elementCount(dims) }, (_, i) => valueAt(i));
    return fromNumbers(type, dims, values);
  }
}

/** Runs ONNX bytes in onnxruntime, its graph optimisations off: they would hide what the operators do. */
export async function runOnnxruntime(bytes: Uint8Array, feeds: TensorMap): Promise<Record<string, Tensor>> {
  const session = await ort.InferenceSession.create(bytes, {
    logSeverityLevel: 4,
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
  });
  const tensors = Object.entries(feeds).map(
    ([name, { type, data, dims }]) =>
      [name, new ort.Tensor(type as 'float32', data as Float32Array, dims)] as const,
  );
  try {
    const results = await session.run(Object.fromEntries(tensors));
    return Object.fromEntries(
      Object.entries(results).map(([name, { type, data, dims }]) => [
        name,
        new Tensor(type as DataType, data as Float32Array, dims),
      ]),
    );
  } finally {
    await session.release();
  }
}

export async function runEspalier(
  bytes: Uint8Array,
  feeds: TensorMap,
  options: SessionOptions = { threads: 1 },
): Promise<Record<string, Tensor>> {
  const session = await InferenceSession.create(bytes, options);
  try {
    return session.runSync(feeds);
  } finally {
    session.release();
  }
}

const smallestNormal = 2 ** -126;

/**
 * Largest difference over the largest value for floats. Integers, infinities, NaN, types and dims have to be equal:
 * where they are not, it says so.
 */
export function compareTensors(
  actual: Tensor | undefined,
  expected: Tensor,
  negligible = smallestNormal,
): number | string {
  if (actual === undefined) return 'no output';
  if (actual.type !== expected.type) return `type ${actual.type} instead of ${expected.type}`;
  if (actual.dims.join() !== expected.dims.join())
    return `dims [${actual.dims}] instead of [${expected.dims}]`;
  const float = expected.type === 'float32' || expected.type === 'float64';
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const [a, b] = [actual.data[i] as number, expected.data[i] as number];
    if (!float || !Number.isFinite(a) || !Number.isFinite(b)) {
      if (a !== b && !(Number.isNaN(a) && Number.isNaN(b))) return `${a} instead of ${b} at ${i}`;
      continue;
    }
    difference = Math.max(difference, Math.abs(a - b));
    largest = Math.max(largest, Math.abs(b));
  }
  return difference <= negligible ? 0 : difference / largest;
}

export interface AgreementOptions {
  /** Largest allowed difference over the largest value; 0 for operators that only move data. */
  readonly tolerance?: number;
  /** Differences that do not count. Default: the smallest normal float32, as espalier flushes what is below it. */
  readonly negligible?: number;
  readonly session?: SessionOptions;
}

/** Float32 sums in another order: a few units in the last place. */
export const floatTolerance = 1e-5;

/** What espalier and onnxruntime disagree on, output by output; empty when they agree. */
export async function disagreements(model: Model, options: AgreementOptions = {}): Promise<string[]> {
  const bytes = exportOnnx(model.graph());
  const expected = await runOnnxruntime(bytes, model.feeds);
  const actual = await runEspalier(bytes, model.feeds, options.session);
  return compareAll(actual, expected, options);
}

export function compareAll(
  actual: TensorMap,
  expected: TensorMap,
  { tolerance = floatTolerance, negligible = smallestNormal }: AgreementOptions = {},
): string[] {
  const missing = Object.keys(actual).filter((name) => !(name in expected));
  const wrong = Object.entries(expected).flatMap(([name, tensor]) => {
    const result = compareTensors(actual[name], tensor, negligible);
    return typeof result === 'number' && result <= tolerance ? [] : [`${name}: ${result}`];
  });
  return [...missing.map((name) => `${name}: not expected`), ...wrong];
}

/** Expects espalier and onnxruntime to agree on every output of the model. */
export async function expectAgreement(model: Model, options: AgreementOptions = {}): Promise<void> {
  expect(await disagreements(model, options)).toEqual([]);
}

export interface CaseOptions extends AgreementOptions {
  readonly opset?: number;
}

/** One test over the models that `build` writes for each of the cases; a failure lists every case that failed. */
export function agreeOnAll<Case>(
  name: string,
  cases: readonly Case[],
  build: (model: Model, one: Case) => unknown,
  options: CaseOptions | ((one: Case) => CaseOptions) = {},
): void {
  test(name, async () => {
    const failures: string[] = [];
    for (const [i, one] of cases.entries()) {
      const own = typeof options === 'function' ? options(one) : options;
      const model = new Model(own.opset, i + 1);
      const details = build(model, one);
      const label = JSON.stringify([one, details]);
      try {
        for (const problem of await disagreements(model, own)) failures.push(`${label} ${problem}`);
      } catch (error) {
        failures.push(`${label} ${error}`);
      }
    }
    expect(failures.slice(0, 12)).toEqual([]);
  });
}

/** One test over `count` random models, written by `build`, which gives back what to call each. */
export function agreeOnRandom(
  name: string,
  count: number,
  build: (model: Model) => unknown,
  options: CaseOptions = {},
): void {
  const seeds = Array.from({ length: count }, (_, i) => i + 1);
  agreeOnAll(name, seeds, (model) => build(model), options);
}

/** Every subset of a list. */
export function subsets<T>(list: readonly T[]): T[][] {
  return Array.from({ length: 2 ** list.length }, (_, bits) => list.filter((_, i) => (bits >> i) & 1));
}

/** Every order of a list. */
export function permutations<T>(list: readonly T[]): T[][] {
  if (list.length <= 1) return [[...list]];
  return list.flatMap((item, i) => permutations(list.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}
