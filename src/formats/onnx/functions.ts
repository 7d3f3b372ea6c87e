import { EspalierError } from '../../errors.js';
import { decodeFunction } from './decode.js';
import type { AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto } from './schema.js';
import { canonicalDomain, toBigInt } from './wire.js';

/** Nodes that calls of functions may become: a few functions that call one another could ask for any number. */
const mostExpanded = 2 ** 20;

/**
 * The graph of a model with every call of one of its functions replaced by the function's nodes
 * (https://github.com/onnx/onnx/blob/main/docs/IR.md#functions).
 * @param opsets those of the model; a function that imports another opset would mean another operator
 * @throws EspalierError ERR_ESPALIER_MODEL for functions that call themselves, ERR_ESPALIER_UNSUPPORTED for other opsets
 */
export function expandFunctions(model: ModelProto, opsets: ReadonlyMap<string, number>): GraphProto {
  const graph = model.graph ?? {};
  if ((model.functions ?? []).length === 0) return graph;
  return new Expander(model.functions ?? [], opsets).graph(graph);
}

const keyOf = (domain = '', name = '', overload = '') =>
  JSON.stringify([canonicalDomain(domain), name, overload]);

const nameOf = ({ domain = '', name = '' }: FunctionProto) => `${domain}.${name}`;

class Expander {
  readonly #functions = new Map<string, FunctionProto>();
  readonly #opsets: ReadonlyMap<string, number>;
  /** Nodes that a call of each function becomes; undefined while they are counted. */
  readonly #sizes = new Map<FunctionProto, number | undefined>();
  #calls = 0;

  constructor(functions: readonly Uint8Array[], opsets: ReadonlyMap<string, number>) {
    this.#opsets = opsets;
    for (const bytes of functions) {
      const decoded = decodeFunction(bytes);
      this.#functions.set(keyOf(decoded.domain, decoded.name, decoded.overload), decoded);
    }
  }

  /** @throws EspalierError when the calls in the graph would become too many nodes, or never end */
  graph(proto: GraphProto): GraphProto {
    const size = this.#sizeOf(proto.node ?? []);
    if (size > mostExpanded)
      throw invalid(`Expected calls of functions to become at most ${mostExpanded} nodes, got ${size}`);
    return this.#expandGraph(proto);
  }

  #calledBy({ domain, op_type: op, overload }: NodeProto): FunctionProto | undefined {
    return this.#functions.get(keyOf(domain, op, overload));
  }

  #sizeOf(nodes: readonly NodeProto[]): number {
    let size = 0;
    for (const node of nodes) {
      const called = this.#calledBy(node);
      size += called === undefined ? 1 : this.#sizeOfCall(called);
      for (const { g } of node.attribute ?? []) if (g != null) size += this.#sizeOf(g.node ?? []);
    }
    return size;
  }

  #sizeOfCall(called: FunctionProto): number {
    const known = this.#sizes.get(called);
    if (known !== undefined) return known;
    if (this.#sizes.has(called))
      throw invalid(`Expected functions that do not call themselves, got ${nameOf(called)}`);
    this.#sizes.set(called, undefined);
    this.#checkOpsets(called);
    const size = this.#sizeOf(called.node ?? []);
    this.#sizes.set(called, size);
    return size;
  }

  #expandGraph(proto: GraphProto): GraphProto {
    return { ...proto, node: this.#expand(proto.node ?? []) };
  }

  #expand(nodes: readonly NodeProto[]): NodeProto[] {
    return nodes.flatMap((node) => {
      const inner = (node.attribute ?? []).map((attribute) =>
        attribute.g == null ? attribute : { ...attribute, g: this.#expandGraph(attribute.g) },
      );
      const whole = inner.length === 0 ? node : { ...node, attribute: inner };
      const called = this.#calledBy(node);
      return called === undefined ? [whole] : this.#body(called, whole);
    });
  }

  #body(called: FunctionProto, call: NodeProto): NodeProto[] {
    const place = `${call.name || call.op_type || ''}/${this.#calls++}`;
    const names = new Map<string, string>();
    (called.input ?? []).forEach((formal, i) => {
      names.set(formal, call.input?.[i] ?? '');
    });
    (called.output ?? []).forEach((formal, i) => {
      const actual = call.output?.[i] ?? '';
      if (actual !== '') names.set(formal, actual);
    });
    const attributes = new Map(
      [...(called.attribute_proto ?? []), ...(call.attribute ?? [])].map((one) => [one.name ?? '', one]),
    );
    const rename = (value: string) => (value === '' ? '' : (names.get(value) ?? `${place}/${value}`));
    return this.#expand((called.node ?? []).map((node) => renameNode(node, rename, attributes, place)));
  }

  #checkOpsets(called: FunctionProto): void {
    for (const { domain = '', version } of called.opset_import ?? []) {
      const known = this.#opsets.get(canonicalDomain(domain));
      const own = Number(toBigInt(version));
      if (known === undefined || known === own) continue;
      throw new EspalierError(
        'ERR_ESPALIER_UNSUPPORTED',
        `Expected function ${nameOf(called)} to use the model's opset ${known} of "${domain}", got ${own}`,
      );
    }
  }
}

type Rename = (value: string) => string;

/** A node of a function where it is called: its values by their names there, its attributes' references resolved. */
function renameNode(
  node: NodeProto,
  rename: Rename,
  attributes: ReadonlyMap<string, AttributeProto>,
  place: string,
): NodeProto {
  const own = (node.attribute ?? []).flatMap((attribute): AttributeProto[] => {
    if (attribute.ref_attr_name) {
      const given = attributes.get(attribute.ref_attr_name);
      return given === undefined ? [] : [{ ...given, name: attribute.name ?? '' }];
    }
    if (attribute.g == null) return [attribute];
    return [{ ...attribute, g: renameGraph(attribute.g, rename, attributes, place) }];
  });
  return {
    ...node,
    name: `${place}/${node.name || node.op_type || ''}`,
    input: (node.input ?? []).map(rename),
    output: (node.output ?? []).map(rename),
    attribute: own,
  };
}

function renameGraph(
  graph: GraphProto,
  rename: Rename,
  attributes: ReadonlyMap<string, AttributeProto>,
  place: string,
): GraphProto {
  const named = <T extends { name?: string }>(list: readonly T[] | undefined): T[] =>
    (list ?? []).map((one) => ({ ...one, name: rename(one.name ?? '') }));
  return {
    ...graph,
    node: (graph.node ?? []).map((node) => renameNode(node, rename, attributes, place)),
    initializer: named(graph.initializer),
    sparse_initializer: (graph.sparse_initializer ?? []).map((sparse) =>
      sparse.values == null
        ? sparse
        : { ...sparse, values: { ...sparse.values, name: rename(sparse.values.name ?? '') } },
    ),
    input: named(graph.input),
    output: named(graph.output),
  };
}

function invalid(message: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_MODEL', message);
}
