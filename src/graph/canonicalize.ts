import { EspalierError } from '../errors.js';
import type { Graph, Node, TensorData } from './graph.js';
import { usedValues } from './order.js';
import { type UpgradeContext, upgrades } from './upgrades.js';

/** Opsets of the default domain that can be read, and the one whose forms are canonical. */
export const oldestOpset = 1;
export const newestOpset = 24;
/** Between this one and the newest, the operators espalier knows gained types but kept their form. */
export const canonicalOpset = 21;

const changed = (opset: number, names: readonly string[]) => names.map((name) => [name, opset] as const);

/** The first opset that has an operator in a form that can be read, where that is not its first one. */
export const oldestForms: ReadonlyMap<string, number> = new Map([
  ...changed(2, ['GlobalLpPool', 'LpPool', 'Pad', 'Split']),
  ...changed(4, ['Concat']),
  ...changed(5, ['Reshape']),
  ...changed(6, ['Cast', 'Tile']),
  // Broadcasting had an attribute before.
  ...changed(7, ['Add', 'Sub', 'Mul', 'Div', 'Pow', 'PRelu', 'And', 'Or', 'Xor', 'Equal', 'Greater', 'Less']),
  ...changed(7, ['BatchNormalization', 'Dropout', 'Gemm', 'Upsample', 'LSTM', 'GRU', 'RNN']),
]);

/** Whether an operator becomes one that espalier knows. */
export function isUpgraded(op: string): boolean {
  return ['Upsample', 'Dropout', 'Sum', 'Scatter'].includes(op);
}

/**
 * Rewrites every node of the default domain from the model's opset to its canonical form, that of opset 21; nodes of
 * other domains stay. Passes after this one meet one form of each operator.
 * @throws EspalierError ERR_ESPALIER_UNSUPPORTED for opsets below 1 or above 24, and for training forms
 */
export function canonicalize(graph: Graph): Graph {
  const constants = new Map(graph.constants);
  const canonicalizer = new Canonicalizer(graph, {
    rank: (value) => constants.get(value)?.dims.length,
    known: (value) => constants.get(value),
    constant: (name, data) => constants.set(name, data),
  });
  const nodes = graph.nodes.flatMap((node) => canonicalizer.upgrade(node));
  return { ...graph, nodes, constants, opsets: new Map([...graph.opsets, ['', canonicalOpset]]) };
}

/** Upgrades the nodes of one graph, one at a time. */
export class Canonicalizer {
  readonly #context: UpgradeContext;
  readonly #used: Set<string>;
  readonly #names: Set<string>;
  readonly #reserved = new Map<string, number>();

  /**
   * @param options.rank number of axes of a value, where known: better forms of some nodes follow from it
   * @param options.known a value that is constant
   * @param options.constant takes a constant that an upgrade creates
   */
  constructor(
    graph: Graph,
    options: {
      readonly rank: (value: string) => number | undefined;
      readonly known: (value: string) => TensorData | undefined;
      readonly constant: (name: string, data: TensorData) => void;
    },
  ) {
    const opset = graph.opsets.get('') ?? canonicalOpset;
    if (opset < oldestOpset || opset > newestOpset) {
      throw new EspalierError(
        'ERR_ESPALIER_UNSUPPORTED',
        `Expected a model of ONNX opset ${oldestOpset} to ${newestOpset}, got ${opset}`,
      );
    }
    this.#used = new Set([...graph.outputs.map(({ name }) => name), ...graph.nodes.flatMap(usedValues)]);
    this.#names = new Set([
      ...graph.inputs.map(({ name }) => name),
      ...graph.constants.keys(),
      ...graph.nodes.flatMap(({ name, outputs }) => [name, ...outputs]),
    ]);
    const fresh = (node: Node, hint: string) => this.reserve(`${node.name}/${hint}`);
    this.#context = {
      opset,
      rank: options.rank,
      known: options.known,
      isUsed: (value) => this.#used.has(value),
      fresh,
      constant: (node, hint, data) => {
        const name = fresh(node, hint);
        options.constant(name, data);
        return name;
      },
    };
  }

  /** A name that no value or node has, made of this one. */
  reserve(wanted: string): string {
    let name = wanted;
    let count = this.#reserved.get(wanted) ?? 1; // so that the thousandth name is found as soon as the first
    while (this.#names.has(name)) name = `${wanted}_${++count}`;
    this.#reserved.set(wanted, count);
    this.#names.add(name);
    return name;
  }

  /** Adds values that nodes read which come from outside the graph. */
  markUsed(values: readonly string[]): void {
    for (const value of values) this.#used.add(value);
  }

  /** The node in canonical form; sometimes several nodes, in order. */
  upgrade(node: Node): readonly Node[] {
    if (node.domain !== '') return [node];
    const upgrade = Object.hasOwn(upgrades, node.op) ? upgrades[node.op] : undefined;
    return (upgrade === undefined ? [node] : upgrade(node, this.#context)).map(trim);
  }
}

/** Drops left out inputs and outputs at the end, which mean the same as none. */
function trim(node: Node): Node {
  const inputs = trimList(node.inputs);
  const outputs = trimList(node.outputs);
  return inputs === node.inputs && outputs === node.outputs ? node : { ...node, inputs, outputs };
}

function trimList(names: readonly string[]): readonly string[] {
  const end = names.findLastIndex((name) => name !== '') + 1;
  return end === names.length ? names : names.slice(0, end);
}
