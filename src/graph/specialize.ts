import { EspalierError } from '../errors.js';
import { type DataType, elementCount } from '../tensor.js';
import { Canonicalizer, canonicalOpset } from './canonicalize.js';
import { byteCount, describeTensor } from './data.js';
import type { Graph, Node, StaticGraph, TensorData, ValueInfo } from './graph.js';
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

/** Elements of the largest value a graph may ask for; more is taken for a damaged or hostile model. */
const largestValue = 2 ** 31 - 1;

/**
 * The graph for these input dims: canonical forms, types and dims of all values, constants computed, dead nodes gone.
 * Input and output names and their order stay. An output that is constant is in `constants`; an output that is an
 * input under another name is an `Identity` node.
 * @param inputDims dims of each input; inputs whose declared dims are all numbers may be left out
 * @throws EspalierError ERR_ESPALIER_SHAPE or ERR_ESPALIER_TYPE when dims or types contradict each other,
 *   ERR_ESPALIER_UNSUPPORTED for unknown operators and for dims that depend on run-time data,
 *   ERR_ESPALIER_INPUT for dims of an input that is missing or not one of the model, ERR_ESPALIER_MODEL for others
 */
export function specialize(graph: Graph, inputDims: ReadonlyMap<string, readonly number[]>): StaticGraph {
  assertSupported(graph);
  return new Specializer(graph, checkInputs(graph, inputDims)).run();
}

class Specializer {
  readonly #graph: Graph;
  readonly #inputs: readonly ValueInfo[];
  readonly #values = new Map<string, TypeAndDims>();
  readonly #constants: Map<string, TensorData>;
  readonly #nodes: Node[] = [];
  /** Values that are another value: what to read instead. */
  readonly #aliases = new Map<string, string>();
  readonly #outputs: ReadonlySet<string>;
  readonly #canonicalizer: Canonicalizer;
  #foldBudget = largestFolds; // bytes

  constructor(graph: Graph, inputs: readonly (ValueInfo & TypeAndDims)[]) {
    this.#graph = graph;
    this.#inputs = inputs;
    this.#outputs = new Set(graph.outputs.map(({ name }) => name));
    this.#constants = new Map(graph.constants);
    for (const { name, type, dims } of inputs) {
      checkRank(`input ${JSON.stringify(name)}`, dims);
      this.#values.set(name, { type, dims });
    }
    for (const [name, { type, dims, bytes }] of graph.constants) {
      checkRank(`constant ${JSON.stringify(name)}`, dims);
      this.#values.set(name, { type, dims });
      this.#foldBudget += 2 * bytes.byteLength;
    }
    this.#canonicalizer = new Canonicalizer(graph, {
      rank: (value) => this.#values.get(value)?.dims.length,
      constant: (name, data) => this.#define(name, data),
    });
  }

  run(): StaticGraph {
    for (const original of this.#graph.nodes) {
      const node = { ...original, inputs: original.inputs.map((input) => this.#resolve(input)) };
      for (const upgraded of this.#canonicalizer.upgrade(node)) {
        this.#add({ ...upgraded, inputs: upgraded.inputs.map((input) => this.#resolve(input)) });
      }
    }
    const outputs = this.#graph.outputs.map(({ name }) => ({ name, ...this.#value(name) }));
    const { name, metadata } = this.#graph;
    return removeUnused({
      name,
      inputs: this.#inputs,
      outputs,
      nodes: this.#nodes,
      constants: this.#constants,
      opsets: new Map([['', canonicalOpset]]),
      metadata,
      values: this.#values,
    });
  }

  #add(node: Node): void {
    const definition = operators.get(node.op);
    if (definition === undefined)
      throw new EspalierError('ERR_ESPALIER_INTERNAL', `No definition of ${node.op}`);
    const context = new OperatorContext(
      node,
      node.inputs.map((input) => (input === '' ? undefined : this.#value(input))),
      node.inputs.map((input) => this.#constants.get(input)),
    );
    const outputs = definition.infer(context);
    this.#checkOutputs(node, outputs);
    node.outputs.forEach((output, i) => {
      const value = outputs[i];
      if (output !== '' && value !== undefined) this.#values.set(output, value);
    });
    if (definition.isIdentity?.(context, outputs)) this.#alias(node);
    else if (isFoldable(definition, context, outputs, this.#foldBudget))
      this.#fold(node, definition, context, outputs);
    else this.#nodes.push(node);
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
        this.#define(output, { ...value, bytes });
    });
  }

  /** Lets readers of the node's output read its input; an output of the graph has to keep its name. */
  #alias(node: Node): void {
    const [input = ''] = node.inputs;
    const [output = ''] = node.outputs;
    const constant = this.#constants.get(input);
    if (output === '') return;
    if (!this.#outputs.has(output)) this.#aliases.set(output, input);
    else if (constant !== undefined) this.#define(output, { ...this.#value(output), bytes: constant.bytes });
    else this.#nodes.push({ ...node, op: 'Identity', inputs: [input], attributes: new Map() });
  }

  #define(name: string, data: TensorData): void {
    this.#constants.set(name, data);
    this.#values.set(name, { type: data.type, dims: data.dims });
  }

  #resolve(name: string): string {
    return this.#aliases.get(name) ?? name;
  }

  #value(name: string): TypeAndDims {
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
    inputBytes += constant.bytes.byteLength;
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
