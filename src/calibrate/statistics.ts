import type { Graph } from '../graph/graph.js';
import type { ActivationStatistics, InputStatistics } from '../prune/importance_activation.js';
import type { PruningTarget } from '../prune/targets.js';
import type { Tensor } from '../tensor.js';
import { forEachSample } from './collect.js';
import { chooseRows, type LayerRows, layerRows } from './rows.js';
import type { Samples } from './samples.js';

/** A target, and the rows that each of its nodes sees. */
export interface Sighted {
  readonly target: PruningTarget;
  readonly sights: readonly LayerRows[];
}

/** @throws EspalierError ERR_ESPALIER_UNSUPPORTED when a layer's inputs cannot be seen. */
export function sightedTargets(graph: Graph, targets: readonly PruningTarget[]): Sighted[] {
  const nodes = new Map(graph.nodes.map((node) => [node.name, node]));
  return targets.map((target) => ({
    target,
    sights: target.nodes.map((name) => layerRows(graph, nodes.get(name), target.layer)),
  }));
}

/**
 * Sums and sums of squares of the inputs of every target, in one pass over the samples: what Wanda, RIA and OWL need.
 * @param rowsPerSample at most this many rows of each layer are taken from a sample
 */
export async function activationStatistics(
  graph: Graph,
  targets: readonly Sighted[],
  samples: Samples,
  {
    rowsPerSample,
    threads,
    onSample,
  }: {
    readonly rowsPerSample: number;
    readonly threads: number;
    readonly onSample?: (index: number) => void;
  },
): Promise<ActivationStatistics> {
  const counted = targets.map(({ target: { layer }, sights }) => {
    const inputs = layer.groups * layer.inputs;
    const sums = { rows: 0, squares: new Float64Array(inputs), sums: new Float64Array(inputs) };
    return { layer, sights, sums };
  });
  const names = [...new Set(targets.flatMap(({ sights }) => sights.map(({ input }) => input)))];
  await forEachSample(graph, names, samples, threads, (values, index) => {
    for (const { layer, sights, sums } of counted) {
      for (const sight of sights) {
        const tensor = values.get(sight.input) as Tensor;
        const chosen = chooseRows(sight.count(tensor), rowsPerSample, index);
        const rows = new Float32Array(chosen.length * layer.inputs);
        for (let group = 0; group < layer.groups; group++) {
          sight.read(tensor, chosen, group, rows);
          count(rows, group * layer.inputs, layer.inputs, sums);
        }
        sums.rows += chosen.length;
      }
    }
    onSample?.(index);
  });
  return new Map(counted.map(({ layer, sums }) => [layer.weight, sums]));
}

function count(rows: Float32Array, first: number, inputs: number, { squares, sums }: InputStatistics): void {
  for (let start = 0; start < rows.length; start += inputs) {
    for (let j = 0; j < inputs; j++) {
      const value = rows[start + j] as number;
      squares[first + j] = (squares[first + j] as number) + value * value;
      sums[first + j] = (sums[first + j] as number) + value;
    }
  }
}
