import { EspalierError } from '../../errors.js';
import { Canonicalizer, canonicalOpset } from '../../graph/canonicalize.js';
import { readNumbers } from '../../graph/data.js';
import type { Graph, Node, TensorData } from '../../graph/graph.js';
import { inferValues } from '../../graph/specialize.js';
import { Positions } from './positions.js';
import { linkReshape, type Regrouping, resolveRegroupings } from './regroup.js';
import { reshapes, rules } from './rules/registry.js';
import { Links } from './rules/rule.js';
import { findShuffles, type Shuffle } from './shuffles.js';

/** Dims of inputs by name: those whose dims are all numbers may be left out. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

/** A graph with all that is known about which positions of its values belong together. */
export interface Analysis {
  /** The graph in canonical form, its computation of shapes included. */
  readonly graph: Graph;
  readonly dims: ReadonlyMap<string, readonly number[]>;
  /** Values that are known beforehand, those computed from shapes included. */
  readonly known: ReadonlyMap<string, TensorData>;
  readonly positions: Positions;
  readonly shuffles: ReadonlyMap<string, Shuffle>;
}

/**
 * Follows every channel of a graph through all operators, as G. Fang et al. do in "DepGraph: towards any structural
 * pruning", 2023, but index by index and on the ONNX graph itself.
 * @throws EspalierError as `specialize` does, and ERR_ESPALIER_UNSUPPORTED for If, Loop and Scan
 */
export function analyze(model: Graph, shapes: Shapes): Analysis {
  refuseControlFlow(model);
  const inputDims = new Map(Object.entries(shapes));
  const graph = canonical(model, inputDims);
  const { values, constants: known } = inferValues(graph, inputDims);
  const dims = new Map([...values].map(([name, value]) => [name, value.dims]));
  const positions = new Positions(dims);
  const shuffles = findShuffles(graph, dims);
  for (const { name } of [...graph.inputs, ...graph.outputs]) pinValue(positions, name);
  const inside = new Set([...shuffles.values()].flatMap(({ nodes }) => nodes.map(({ name }) => name)));
  const squares = findSquares(graph, known);
  const regroupings: Regrouping[] = [];
  for (const node of graph.nodes) {
    const shuffle = shuffles.get(node.name);
    if (shuffle !== undefined) linkShuffle(shuffle, positions);
    else if (inside.has(node.name) || isShapeArithmetic(node, values, known)) continue;
    else if (node.domain === '' && reshapes.has(node.op))
      regroupings.push(...linkNodeReshape(node, positions));
    else linkNode(new Links(node, positions, known, squares));
  }
  resolveRegroupings(regroupings, positions);
  return { graph, dims, known, positions, shuffles };
}

function refuseControlFlow({ nodes }: Graph): void {
  const node = nodes.find(({ attributes }) => [...attributes.values()].some(({ kind }) => kind === 'graph'));
  if (node === undefined) return;
  throw new EspalierError(
    'ERR_ESPALIER_UNSUPPORTED',
    `Expected a graph without graphs inside it, whose channels are not followed, got ${node.op} "${node.name}"`,
  );
}

/** Ranks are inferred first, for canonical forms of old operators follow from them. */
function canonical(model: Graph, inputDims: ReadonlyMap<string, readonly number[]>): Graph {
  const { values } = inferValues(model, inputDims);
  const constants = new Map(model.constants);
  const canonicalizer = new Canonicalizer(model, {
    known: (value) => model.constants.get(value),
    rank: (value) => values.get(value)?.dims.length ?? constants.get(value)?.dims.length,
    constant: (name, data) => constants.set(name, data),
  });
  const nodes = model.nodes.flatMap((node) => canonicalizer.upgrade(node));
  // Operators that came later are written as they were, and their opset says that they are there.
  const opset = Math.max(canonicalOpset, model.opsets.get('') ?? 0);
  return { ...model, nodes, constants, opsets: new Map([...model.opsets, ['', opset]]) };
}

/** Values x^2 and x * x. */
function findSquares({ nodes }: Graph, known: ReadonlyMap<string, TensorData>): Set<string> {
  const isTwo = (name: string | undefined) => {
    const data = known.get(name ?? '');
    return data !== undefined && readNumbers(data).every((value) => value === 2);
  };
  const squares = nodes.filter(({ op, domain, inputs: [a, b] }) => {
    return domain === '' && ((op === 'Pow' && isTwo(b)) || (op === 'Mul' && a === b));
  });
  return new Set(squares.map(({ outputs }) => outputs[0] ?? ''));
}

function linkNode(links: Links): void {
  const { node } = links;
  const rule = node.domain === '' ? rules.get(node.op) : undefined;
  if (rule === undefined) links.refuse('is an operator whose channels are not followed');
  else rule(links);
}

function linkNodeReshape(node: Node, positions: Positions): Regrouping[] {
  const [x = ''] = node.inputs;
  const [y = ''] = node.outputs;
  return linkReshape(node, x, y, positions);
}

function linkShuffle({ x, y, axis, source }: Shuffle, positions: Positions): void {
  for (const [other, dim] of positions.dims(x).entries()) {
    for (let i = 0; i < dim; i++) {
      const from = other === axis ? (source[i] ?? 0) : i;
      positions.unite(positions.at(y, other, i), positions.at(x, other, from));
    }
  }
}

function pinValue(positions: Positions, name: string): void {
  for (const [axis, dim] of positions.dims(name).entries()) {
    for (let i = 0; i < dim; i++)
      positions.pin(positions.at(name, axis, i), {
        reason: `"${name}" is fed to or returned by the model`,
        moves: false,
      });
  }
}

/** Nodes that compute dims, indices and the like: integers known beforehand hold no channels. */
function isShapeArithmetic(
  { outputs }: Node,
  values: ReadonlyMap<string, { readonly type: string }>,
  known: ReadonlyMap<string, TensorData>,
): boolean {
  return outputs.every(
    (output) => known.has(output) && !(values.get(output)?.type ?? '').startsWith('float'),
  );
}
