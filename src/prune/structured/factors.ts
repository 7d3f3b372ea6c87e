import { intAttribute } from '../../graph/attributes.js';
import type { Graph, Node } from '../../graph/graph.js';

/** A node that multiplies by a constant: where its weight has the channels that come in, and those that go out. */
export interface Factor {
  readonly node: Node;
  /** Name of the weight constant. */
  readonly weight: string;
  readonly inputAxis: number;
  readonly outputAxis: number;
  readonly groups: number;
}

/**
 * Convolutions, transposed ones too, and products by a constant of two axes or more, in node order: those that score
 * channels, and that count as multiply-adds.
 */
export function findFactors(graph: Graph): Factor[] {
  return graph.nodes.flatMap((node) => {
    const factor = factorOf(graph, node);
    return factor === undefined ? [] : [factor];
  });
}

function factorOf(graph: Graph, node: Node): Factor | undefined {
  if (node.domain !== '') return undefined;
  const [left = '', right = ''] = node.inputs;
  const dims = graph.constants.get(right)?.dims;
  const rank = dims?.length ?? 0;
  const groups = intAttribute(node, 'group', 1);
  const of = (weight: string, inputAxis: number, outputAxis: number): Factor => ({
    node,
    weight,
    inputAxis,
    outputAxis,
    groups,
  });
  switch (node.op) {
    case 'Conv':
      return rank >= 3 ? of(right, 1, 0) : undefined;
    case 'ConvTranspose':
      return rank >= 3 ? of(right, 0, 1) : undefined;
    case 'Gemm':
      if (rank !== 2) return undefined;
      return intAttribute(node, 'transB', 0) === 0 ? of(right, 0, 1) : of(right, 1, 0);
    case 'MatMul': {
      if (rank >= 2) return of(right, rank - 2, rank - 1);
      const other = graph.constants.get(left)?.dims.length ?? 0;
      return other >= 2 ? of(left, other - 1, other - 2) : undefined;
    }
    default:
      return undefined;
  }
}
