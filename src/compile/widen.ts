import { intValue } from '../graph/attributes.js';
import { readElements, toBytes } from '../graph/data.js';
import type { Node, StaticGraph, TensorData } from '../graph/graph.js';
import { usedValues } from '../graph/order.js';
import { codeOfType } from '../graph/type_codes.js';
import type { ValueType } from './builder.js';

/** Operators that only move elements: 16-bit floats pass through them as they are. */
const movements = new Set([
  ...[
    'Identity',
    'Reshape',
    'Flatten',
    'Squeeze',
    'Unsqueeze',
    'Transpose',
    'Expand',
    'Tile',
    'Slice',
    'Split',
  ],
  ...[
    'Concat',
    'Gather',
    'GatherND',
    'GatherElements',
    'Where',
    'DepthToSpace',
    'SpaceToDepth',
    'Cast',
    'Pad',
  ],
]);

const isNarrow = (type: ValueType | undefined) => type?.type === 'float16' || type?.type === 'bfloat16';

/** Constants widened before, so that a session keeps one copy for all its plans. */
const widened = new WeakMap<TensorData, TensorData>();

function widenConstant(data: TensorData): TensorData {
  const known = widened.get(data);
  if (known !== undefined) return known;
  const wide = { type: 'float32', dims: data.dims, bytes: toBytes('float32', readElements(data)) } as const;
  widened.set(data, wide);
  return wide;
}

/**
 * The graph with 16-bit floats computed in float32: inputs and constants are cast on the way in, outputs on the way
 * out, and nothing is rounded in between. A graph that only moves them stays as it is.
 */
export function widen(graph: StaticGraph): StaticGraph {
  const narrow = (name: string) => isNarrow(graph.values.get(name));
  const computes = ({ op, inputs, outputs }: Node) =>
    !movements.has(op) && [...inputs, ...outputs].some((name) => narrow(name));
  if (!graph.nodes.some(computes)) return graph;
  return new Widener(graph).run();
}

class Widener {
  readonly #graph: StaticGraph;
  readonly #values: Map<string, ValueType>;
  readonly #constants: Map<string, TensorData>;
  readonly #nodes: Node[] = [];
  /** The wide value of each narrow one, and whether the narrow one is there too. */
  readonly #wide = new Map<string, string>();
  readonly #present: Set<string>;

  constructor(graph: StaticGraph) {
    this.#graph = graph;
    this.#values = new Map(graph.values);
    this.#constants = new Map(graph.constants);
    this.#present = new Set([...graph.inputs.map(({ name }) => name), ...graph.constants.keys()]);
  }

  run(): StaticGraph {
    for (const node of this.#graph.nodes) {
      const hasGraphs = [...node.attributes.values()].some(({ kind }) => kind === 'graph');
      if (hasGraphs) this.#keep(node);
      else this.#widenNode(node);
    }
    for (const { name } of this.#graph.outputs) this.#narrow(name);
    return { ...this.#graph, nodes: this.#nodes, constants: this.#constants, values: this.#values };
  }

  /** A node with graphs of its own sees the types that those declare. */
  #keep(node: Node): void {
    for (const name of usedValues(node)) this.#narrow(name);
    this.#nodes.push(node);
    for (const output of node.outputs) this.#present.add(output);
  }

  #widenNode(node: Node): void {
    const attributes = new Map(node.attributes);
    const { outputs } = node;
    if (node.op === 'Cast' && this.#isNarrow(outputs[0] ?? ''))
      attributes.set('to', intValue(codeOfType.float32));
    const inputs = node.inputs.map((name) => (this.#isNarrow(name) ? this.#widen(name) : name));
    this.#nodes.push({
      ...node,
      inputs,
      outputs: outputs.map((name) => (this.#isNarrow(name) ? this.#addWide(name) : name)),
      attributes,
    });
  }

  /** The float32 value of a narrow one: its own, or a cast of it. */
  #widen(name: string): string {
    const known = this.#wide.get(name);
    if (known !== undefined) return known;
    const wide = this.#addWide(name);
    const data = this.#graph.constants.get(name);
    if (data !== undefined) this.#constants.set(wide, widenConstant(data));
    else this.#cast(name, wide, 'float32');
    return wide;
  }

  /** Makes the narrow value where only the wide one is there. */
  #narrow(name: string): void {
    const wide = this.#wide.get(name);
    const type = this.#graph.values.get(name)?.type;
    if (wide === undefined || type === undefined || this.#present.has(name)) return;
    this.#present.add(name);
    this.#cast(wide, name, type);
  }

  #cast(from: string, to: string, type: ValueType['type']): void {
    const attributes = new Map([['to', intValue(codeOfType[type])]]);
    this.#nodes.push({
      name: `cast ${to}`,
      op: 'Cast',
      domain: '',
      inputs: [from],
      outputs: [to],
      attributes,
    });
  }

  #addWide(name: string): string {
    let wide = `${name}/float32`;
    while (this.#values.has(wide)) wide += '_';
    this.#values.set(wide, { type: 'float32', dims: this.#graph.values.get(name)?.dims ?? [] });
    this.#wide.set(name, wide);
    return wide;
  }

  #isNarrow(name: string): boolean {
    return isNarrow(this.#graph.values.get(name));
  }
}
