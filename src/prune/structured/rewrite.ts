import { EspalierError } from '../../errors.js';
import type { Graph, Node, TensorData } from '../../graph/graph.js';
import { rowMajorStrides } from '../../graph/operators/strided.js';
import { specialize } from '../../graph/specialize.js';
import { bytesPerElement } from '../../tensor.js';
import type { Analysis, Shapes } from './analyze.js';
import { shuffle } from './edits/movement.js';
import { edits } from './edits/registry.js';
import type { Selection } from './selection.js';

/**
 * The graph with only what is selected of every value, in the selected order: constants are sliced, and nodes that state
 * sizes or numbers of channels are corrected.
 * @throws EspalierError ERR_ESPALIER_INTERNAL when the result is no valid graph, which is a defect
 */
export function rewrite({ graph, known, shuffles }: Analysis, selection: Selection, shapes: Shapes): Graph {
  const constants = new Map(graph.constants);
  for (const name of selection.changed) {
    const data = constants.get(name);
    if (data !== undefined) constants.set(name, select(data, selection.axesOf(name) ?? new Map()));
  }
  const names = new Set([
    ...constants.keys(),
    ...graph.inputs.map(({ name }) => name),
    ...graph.nodes.flatMap(({ name, outputs }) => [name, ...outputs]),
  ]);
  const fresh = (node: Node, hint: string) => {
    let name = `${node.name}/${hint}`;
    while (names.has(name)) name += '_';
    names.add(name);
    return name;
  };
  const context = {
    selection,
    known,
    isStored: (value: string) => graph.constants.has(value),
    fresh,
    constant: (node: Node, hint: string, data: TensorData) => {
      const name = fresh(node, hint);
      constants.set(name, data);
      return name;
    },
  };
  const changed = [...shuffles.values()].filter(({ x, axis }) => selection.isChanged(x, axis));
  const replaced = new Set(changed.flatMap(({ nodes }) => nodes.map(({ name }) => name)));
  const nodes = graph.nodes.flatMap((node) => {
    const whole = shuffles.get(node.name);
    if (whole !== undefined && replaced.has(node.name)) return shuffle(whole, context);
    if (replaced.has(node.name)) return [];
    return node.domain === '' ? (edits.get(node.op)?.(node, context) ?? [node]) : [node];
  });
  return validated({ ...graph, nodes, constants: usedConstants(nodes, graph, constants) }, shapes);
}

/** The elements at the kept indices of each axis. */
function select(data: TensorData, axes: ReadonlyMap<number, Int32Array>): TensorData {
  const width = bytesPerElement[data.type];
  let { dims, bytes } = data;
  for (const [axis, kept] of axes) {
    const strides = rowMajorStrides(dims);
    const after = dims.with(axis, kept.length);
    const stride = strides[axis] ?? 1;
    const block = stride * width;
    const outer = dims.slice(0, axis).reduce((product, dim) => product * dim, 1);
    const target = new Uint8Array(outer * kept.length * block);
    for (let o = 0; o < outer; o++) {
      const start = o * (dims[axis] ?? 0) * block;
      kept.forEach((index, i) => {
        const from = start + index * block;
        target.set(bytes.subarray(from, from + block), (o * kept.length + i) * block);
      });
    }
    [dims, bytes] = [after, target];
  }
  return { type: data.type, dims, bytes };
}

/** Constants that a graph inside a node may read stay too. */
function usedConstants(
  nodes: readonly Node[],
  graph: Graph,
  constants: ReadonlyMap<string, TensorData>,
): Map<string, TensorData> {
  const used = new Set([...nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
  const before = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
  return new Map(
    [...constants].filter(([name]) => used.has(name) || (graph.constants.has(name) && !before.has(name))),
  );
}

function validated(graph: Graph, shapes: Shapes): Graph {
  try {
    specialize(graph, new Map(Object.entries(shapes)));
    return graph;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EspalierError('ERR_ESPALIER_INTERNAL', `Expected a valid graph after pruning: ${reason}`, {
      cause,
    });
  }
}
