import { EspalierError } from '../errors.js';
import { type DataType, elementCount } from '../tensor.js';
import { Canonicalizer, canonicalOpset } from './canonicalize.js';
import type { Host } from './control_flow/host.js';
import { expand, isControlFlow } from './control_flow/index.js';
import { Scope } from './control_flow/scope.js';
import { byteCount, describeTensor } from './data.js';
import { type Decomposer, decompositionOf } from './decompose/index.js';
import type { Graph, Node, StaticGraph, TensorData, ValueInfo } from './graph.js';
import { areFew, type Deciders, mayDecide } from './input_values.js';
import { OperatorContext, type OperatorDefinition, type TypeAndDims } from './operators/definition.js';
import { operators } from './operators/registry.js';
import { removeUnused } from './prune_unused.js';
import { checkInputs } from './static_inputs.js';
import { assertSupported } from './supported.js';

/** A constant larger than this is only computed beforehand when the constants it comes from are as large. */
const largestFold = 64 * 2 ** 20; // bytes

/** What folding may add up to, beyond twice the model's own constants: a small model can ask for many large ones. */
const largestFolds = 256 * 2 ** 20; // bytes

/** Axes of the largest value: real models have up to 8, and work on dims is often quadratic in them. */
const largestRank = 64;

/** Nodes and iterations that control flow may be unrolled to. */
const mostUnrolled = 2 ** 14;

/** Elements of the largest value a graph may ask for; more is taken for a damaged or hostile model. */
const largestValue = 2 ** 31 - 1;

/**
 * The graph for these input dims: canonical forms, types and dims of all values, constants computed, dead nodes gone.
 * Input and output names and their order stay. An output that is constant is in `constants`; an output that is an
 * input under another name is an `Identity` node.
 * @param inputDims dims of each input; inputs whose declared dims are all numbers may be left out
 * @param inputValues values of inputs that shapes or conditions depend on, by name; the run must feed the same
 * @throws InputValuesNeeded when shapes or conditions depend on values of inputs that `inputValues` does not have
 * @throws EspalierError ERR_ESPALIER_SHAPE or ERR_ESPALIER_TYPE when dims or types contradict each other,
 *   ERR_ESPALIER_UNSUPPORTED for unknown operators and for dims that depend on run-time data,
 *   ERR_ESPALIER_INPUT for dims of an input that is missing or not one of the model, ERR_ESPALIER_MODEL for others
 */
export function specialize(
  graph: Graph,
  inputDims: ReadonlyMap<string, readonly number[]>,
  inputValues: ReadonlyMap<string, TensorData> = new Map(),
): StaticGraph {
  assertSupported(graph);
  return new Specializer(graph, checkInputs(graph, inputDims), inputValues).run();
}

/**
 * Types and dims of all values of the graph for these input dims, and the values that are known beforehand; nodes stay
 * as they are. Arguments and errors are those of {@link specialize}.
 */
export function inferValues(
  graph: Graph,
  inputDims: ReadonlyMap<string, readonly number[]>,
): {
  readonly values: ReadonlyMap<string, TypeAndDims>;
  readonly constants: ReadonlyMap<string, TensorData>;
} {
  assertSupported(graph);
  const specializer = new Specializer(graph, checkInputs(graph, inputDims), new Map());
  specializer.run();
  return specializer.known();
}

class Specializer implements Host {
  readonly #graph: Graph;
  readonly #inputs: readonly ValueInfo[];
  readonly #values = new Map<string, TypeAndDims>();
  readonly #constants: Map<string, TensorData>;
  readonly nodes: Node[] = [];
  /** Values that are another value: what to read instead. */
  readonly #aliases = new Map<string, string>();
  readonly #outputs: ReadonlySet<string>;
  readonly #canonicalizer: Canonicalizer;
  /** The graph inputs that alone decide a value which is not constant. */
  readonly #deciders = new Map<string, Deciders>();
  #foldBudget = largestFolds; // bytes
  #unrollBudget = mostUnrolled;

  constructor(
    graph: Graph,
    inputs: readonly (ValueInfo & TypeAndDims)[],
    inputValues: ReadonlyMap<string, TensorData>,
  ) {
    this.#graph = graph;
    this.#inputs = inputs;
    this.#outputs = new Set(graph.outputs.map(({ name }) => name));
    this.#constants = new Map(graph.constants);
    for (const { name, type, dims } of inputs) {
      checkRank(`input ${JSON.stringify(name)}`, dims);
      this.#values.set(name, { type, dims });
      if (mayDecide({ type, dims }))
        this.#deciders.set(name, { inputs: [name], areFew: areFew({ type, dims }) });
    }
    for (const [name, { type, dims }] of graph.constants) {
      checkRank(`constant ${JSON.stringify(name)}`, dims);
      this.#values.set(name, { type, dims });
      this.#foldBudget += 2 * byteCount(type, dims);
    }
    this.#canonicalizer = new Canonicalizer(graph, {
      rank: (value) => this.#values.get(value)?.dims.length,
      known: (value) => this.#constants.get(value),
      constant: (name, data) => this.define(name, data),
    });
    for (const [name, data] of inputValues) {
      const constant = this.fresh(`${name}/value`);
      this.define(constant, data);
      this.#aliases.set(name, constant);
    }
  }

  /** All that is known after the run. */
  known() {
    return { values: this.#values, constants: this.#constants };
  }

  run(): StaticGraph {
    const outermost = new Scope();
    for (const node of this.#graph.nodes) this.write(node, outermost);
    const outputs = this.#graph.outputs.map(({ name }) => ({ name, ...this.value(name) }));
    const { name, metadata } = this.#graph;
    return removeUnused({
      name,
      inputs: this.#inputs,
      outputs,
      nodes: this.nodes,
      constants: this.#constants,
      opsets: new Map([['', canonicalOpset]]),
      metadata,
      values: this.#values,
    });
  }

  get opset(): number {
    return this.#graph.opsets.get('') ?? canonicalOpset;
  }

  write(original: Node, scope: Scope): void {
    const inputs = original.inputs.map((input) => this.resolve(scope.resolve(input)));
    const node = { ...original, inputs };
    if (scope.isInner) this.spend(node, 1);
    if (isControlFlow(node)) {
      expand(this, node, scope);
      return;
    }
    for (const upgraded of this.#canonicalizer.upgrade(node)) {
      this.add({ ...upgraded, inputs: upgraded.inputs.map((input) => this.resolve(input)) });
    }
  }

  context(node: Node): OperatorContext {
    return new OperatorContext(
      node,
      node.inputs.map((input) => (input === '' ? undefined : this.value(input))),
      node.inputs.map((input) => this.#constants.get(input)),
      node.inputs.map((input) => this.#deciders.get(input)),
    );
  }

  add(node: Node): void {
    const context = this.context(node);
    const results = decompositionOf(node)?.(context, this.#decomposer(node));
    if (results !== undefined) this.#giveOutputs(node, results);
    else this.#addWhole(node, context);
  }

  /** Adds what the decomposition of a node consists of. */
  #decomposer({ name: owner }: Node): Decomposer {
    return {
      constant: (data) => {
        const name = this.fresh(`${owner}/constant`);
        this.define(name, data);
        return name;
      },
      nodes: (op, inputs, count, attributes = {}) => {
        const name = this.fresh(`${owner}/${op}`);
        const outputs = Array.from({ length: count }, (_, i) => this.fresh(`${name}/${i}`));
        const resolved = inputs.map((input) => this.resolve(input));
        const known = new Map(Object.entries(attributes));
        this.add({ name, op, domain: '', inputs: resolved, outputs, attributes: known });
        return outputs.map((output) => this.resolve(output));
      },
      valueOf: (name) => this.value(this.resolve(name)),
    };
  }

  /** Lets what a decomposition made be the outputs of the node. */
  #giveOutputs(node: Node, results: readonly string[]): void {
    node.outputs.forEach((output, i) => {
      const result = results[i];
      if (output === '') return;
      if (result === undefined) throw this.context(node).unsupported(`output ${i}`);
      const inputs = [this.resolve(result)];
      this.#values.set(output, this.value(inputs[0] ?? ''));
      const deciders = this.#deciders.get(inputs[0] ?? '');
      if (deciders !== undefined) this.#deciders.set(output, deciders);
      this.#alias({ ...node, name: `${node.name}/${i}`, inputs, outputs: [output] });
    });
  }

  #addWhole(node: Node, context: OperatorContext): void {
    const definition = operators.get(node.op);
    if (definition === undefined)
      throw new EspalierError('ERR_ESPALIER_INTERNAL', `No definition of ${node.op}`);
    const outputs = definition.infer(context);
    this.#checkOutputs(node, outputs);
    node.outputs.forEach((output, i) => {
      const value = outputs[i];
      if (output !== '' && value !== undefined) this.#values.set(output, value);
    });
    this.#noteDeciders(node, definition);
    if (definition.isIdentity?.(context, outputs)) this.#alias(node);
    else if (isFoldable(definition, context, outputs, this.#foldBudget))
      this.#fold(node, definition, context, outputs);
    else this.nodes.push(node);
  }

  /** What a node computes of constants and of inputs that may decide is decided by these inputs. */
  #noteDeciders(node: Node, definition: OperatorDefinition): void {
    if (definition.evaluate === undefined) return;
    const deciders = new Set<string>();
    let few = true;
    for (const input of node.inputs) {
      if (input === '' || this.#constants.has(input)) continue;
      const own = this.#deciders.get(input);
      if (own === undefined) return;
      for (const name of own.inputs) deciders.add(name);
      few &&= own.areFew;
    }
    if (deciders.size === 0) return;
    const all = { inputs: [...deciders], areFew: few };
    for (const output of node.outputs) if (output !== '') this.#deciders.set(output, all);
  }

  #fold(
    node: Node,
    definition: OperatorDefinition,
    context: OperatorContext,
    outputs: readonly TypeAndDims[],
  ): void {
    const results = definition.evaluate?.(context, outputs) ?? [];
    this.#foldBudget -= bytesOf(outputs);
    node.outputs.forEach((output, i) => {
      const value = outputs[i];
      const bytes = results[i];
      if (output !== '' && value !== undefined && bytes !== undefined)
        this.define(output, { ...value, bytes });
    });
  }

  /** Lets readers of the node's output read its input; an output of the graph has to keep its name. */
  #alias(node: Node): void {
    const [input = ''] = node.inputs;
    const [output = ''] = node.outputs;
    const constant = this.#constants.get(input);
    if (output === '') return;
    if (!this.#outputs.has(output)) this.#aliases.set(output, input);
    else if (constant !== undefined) this.define(output, { ...this.value(output), bytes: constant.bytes });
    else this.nodes.push({ ...node, op: 'Identity', inputs: [input], attributes: new Map() });
  }

  define(name: string, data: TensorData): void {
    this.#constants.set(name, data);
    this.#values.set(name, { type: data.type, dims: data.dims });
  }

  constant(name: string): TensorData | undefined {
    return this.#constants.get(name);
  }

  fresh(name: string): string {
    return this.#canonicalizer.reserve(name);
  }

  markUsed(names: readonly string[]): void {
    this.#canonicalizer.markUsed(names);
  }

  spend(node: Node, work: number): void {
    this.#unrollBudget -= work;
    if (this.#unrollBudget >= 0) return;
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected If, Loop and Scan to unroll to at most ${mostUnrolled} nodes, got more in node ${node.name} (${node.op})`,
    );
  }

  resolve(name: string): string {
    return this.#aliases.get(name) ?? name;
  }

  value(name: string): TypeAndDims {
    const value = this.#values.get(name);
    if (value === undefined)
      throw new EspalierError('ERR_ESPALIER_MODEL', `Expected value ${name} to be defined`);
    return value;
  }

  #checkOutputs(
    node: Node,
    outputs: readonly { readonly type: DataType; readonly dims: readonly number[] }[],
  ): void {
    if (node.outputs.length > outputs.length) {
      throw new EspalierError(
        'ERR_ESPALIER_UNSUPPORTED',
        `Expected node ${node.name} (${node.op}) to have at most ${outputs.length} outputs, got ${node.outputs.length}`,
      );
    }
    for (const { dims } of outputs) checkRank(`the output of node ${node.name} (${node.op})`, dims);
    const large = outputs.find(({ dims }) => !(elementCount(dims) <= largestValue));
    if (large !== undefined) {
      throw new EspalierError(
        'ERR_ESPALIER_MODEL',
        `Expected the output of node ${node.name} (${node.op}) to have at most ${largestValue} elements, ` +
          `got ${describeTensor(large)}`,
      );
    }
  }
}

function isFoldable(
  definition: OperatorDefinition,
  context: OperatorContext,
  outputs: readonly TypeAndDims[],
  budget: number, // bytes
): boolean {
  if (definition.evaluate === undefined) return false;
  if (definition.evaluatesFromDims) return true;
  let inputBytes = 0;
  for (const [i, input] of context.node.inputs.entries()) {
    if (input === '') continue;
    const constant = context.constant(i);
    if (constant === undefined) return false;
    inputBytes += byteCount(constant.type, constant.dims);
  }
  return bytesOf(outputs) <= Math.min(budget, Math.max(largestFold, inputBytes));
}

function checkRank(what: string, dims: readonly number[]): void {
  if (dims.length <= largestRank) return;
  throw new EspalierError(
    'ERR_ESPALIER_MODEL',
    `Expected ${what} to have at most ${largestRank} axes, got ${dims.length}`,
  );
}

function bytesOf(values: readonly TypeAndDims[]): number {
  return values.reduce((sum, { type, dims }) => sum + byteCount(type, dims), 0);
}
