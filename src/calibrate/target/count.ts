import { isFloat, readElements } from '../../graph/data.js';
import type { Graph, TensorData } from '../../graph/graph.js';
import { inferValues } from '../../graph/specialize.js';
import type { Shapes } from '../../prune/structured/analyze.js';
import { findFactors } from '../../prune/structured/factors.js';

/**
 * What a network holds and does in one run, zeros not counted: elements of its float constants, and two operations for
 * each multiply-add of its convolutions and products; those of two activations count in full.
 * @throws EspalierError as `specialize` does
 */
export function countNetwork(graph: Graph, shapes: Shapes): { parameters: number; flops: number } {
  const { values } = inferValues(graph, new Map(Object.entries(shapes)));
  const used = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
  const nonZeros = new Map(
    [...graph.constants].filter(([name]) => used.has(name)).map(([name, data]) => [name, countOf(data)]),
  );
  const dims = (name: string | undefined) => values.get(name ?? '')?.dims ?? [];
  const size = (name: string | undefined) => dims(name).reduce((product, dim) => product * dim, 1);
  const factors = new Map(findFactors(graph).map((factor) => [factor.node.name, factor]));
  let multiplyAdds = 0;
  for (const node of graph.nodes) {
    const [x = ''] = node.inputs;
    const [y = ''] = node.outputs;
    const factor = factors.get(node.name);
    if (factor === undefined) {
      if (node.op === 'MatMul' && node.domain === '') multiplyAdds += size(y) * (dims(x).at(-1) ?? 1);
      continue;
    }
    // Every weight meets each output position once; of a transposed convolution, each input position.
    const positions = node.op === 'ConvTranspose' ? x : y;
    const channels =
      node.op === 'Conv' || node.op === 'ConvTranspose'
        ? (dims(positions)[1] ?? 1)
        : (dims(factor.weight)[factor.outputAxis] ?? 1);
    multiplyAdds += (nonZeros.get(factor.weight) ?? size(factor.weight)) * (size(positions) / channels);
  }
  const floats = [...graph.constants].filter(([name, { type }]) => used.has(name) && isFloat(type));
  const parameters = floats.reduce((sum, [name]) => sum + (nonZeros.get(name) ?? 0), 0);
  return { parameters, flops: 2 * multiplyAdds };
}

function countOf(data: TensorData): number {
  let count = 0;
  for (const value of readElements(data)) if (value !== 0 && value !== 0n) count++;
  return count;
}
