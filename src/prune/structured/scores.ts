import { EspalierError } from '../../errors.js';
import { readElements } from '../../graph/data.js';
import type { Graph, TensorData } from '../../graph/graph.js';
import { findLayers, type Layer } from '../../graph/layers.js';
import { rowMajorStrides } from '../../graph/operators/strided.js';
import { orderedWeights } from '../../sparse/weights.js';
import type { Importance } from '../importance.js';
import type { GroupAxis, GroupMember, StructuredGroup } from './groups.js';

/** Which weights judge a unit: those that give it, those that take it, or both. */
export type ScoredSide = 'both' | 'output' | 'input';

/** Sums of a layer's scores over each index of its two axes. */
interface LayerSums {
  readonly outputs: Float64Array;
  readonly inputs: Float64Array;
}

/**
 * Scores units: the mean over the members of a group, each normalised to a mean magnitude of 1 over its units, so that small and
 * large layers count alike (G. Fang et al., "DepGraph", 2023). A member's score is the sum of the scores of the weights
 * that go with the unit: for {@link magnitude} the L1 norm of a filter (H. Li et al., "Pruning filters for efficient
 * convnets", 2017). Transposed convolutions are no layers that an importance knows: they judge, by magnitude, only
 * where no layer does.
 */
export class UnitScorer {
  readonly #graph: Graph;
  readonly #importance: Importance;
  /** The first layer that reads a weight. */
  readonly #layers = new Map<string, Layer>();
  readonly #sums = new Map<string, LayerSums>();

  constructor(graph: Graph, importance: Importance) {
    this.#graph = graph;
    this.#importance = importance;
    for (const layer of findLayers(graph))
      if (!this.#layers.has(layer.weight)) this.#layers.set(layer.weight, layer);
  }

  /**
   * [units] scores of a group. Where it has no member on the side that is asked for, the other one judges.
   * @throws EspalierError ERR_ESPALIER_ARGUMENT when the importance returns NaN or the wrong number of scores
   */
  score(group: StructuredGroup, side: ScoredSide): Float64Array {
    const weights = group.members.filter(({ role }) => role !== 'other');
    const layered = weights.filter(({ constant }) => this.#layers.has(constant));
    const able = layered.length > 0 ? layered : weights;
    const asked = able.filter(({ role }) => side === 'both' || role === side);
    const members = asked.length > 0 ? asked : able;
    const scores = new Float64Array(group.units);
    for (const member of members) {
      const own = this.#memberScores(member, axisOf(group, member), layered.length > 0);
      const mean = own.reduce((sum, score) => sum + Math.abs(score), 0) / own.length;
      if (mean === 0) continue;
      own.forEach((score, u) => {
        scores[u] = (scores[u] ?? 0) + score / mean / members.length;
      });
    }
    return scores;
  }

  #memberScores(
    { constant, role }: GroupMember,
    { axis, perUnit, indices }: GroupAxis,
    layered: boolean,
  ): Float64Array {
    const sums = layered
      ? this.#sumsOf(constant)[role === 'output' ? 'outputs' : 'inputs']
      : magnitudes(this.#graph.constants.get(constant) as TensorData, axis);
    const scores = new Float64Array(indices.length / perUnit);
    indices.forEach((index, i) => {
      const unit = Math.floor(i / perUnit);
      scores[unit] = (scores[unit] ?? 0) + (sums[index] ?? 0);
    });
    return scores;
  }

  #sumsOf(weight: string): LayerSums {
    const known = this.#sums.get(weight);
    if (known !== undefined) return known;
    const layer = this.#layers.get(weight) as Layer;
    const weights = orderedWeights(this.#graph, layer);
    const scores = this.#importance(layer, weights);
    if (scores?.length !== weights.length) {
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected importance of layer "${layer.name}" to be ${weights.length} scores, got ${scores?.length}`,
      );
    }
    const rows = layer.groups * layer.outputs;
    const taps = layer.op === 'Conv' ? tapsOf(this.#graph, weight) : 1;
    const outputs = new Float64Array(rows);
    const inputs = new Float64Array(layer.inputs / taps);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < layer.inputs; i++) {
        const score = scores[row * layer.inputs + i] as number;
        const input = Math.floor(i / taps);
        outputs[row] = (outputs[row] as number) + score;
        inputs[input] = (inputs[input] as number) + score;
      }
    }
    const wrong = outputs.findIndex(Number.isNaN);
    if (wrong >= 0) {
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected importance of layer "${layer.name}" to be numbers, got NaN at output ${wrong}`,
      );
    }
    const sums = { outputs, inputs };
    this.#sums.set(weight, sums);
    return sums;
  }
}

/** Sums of absolute values over each index of an axis. */
function magnitudes(data: TensorData, axis: number): Float64Array {
  const size = data.dims[axis] ?? 1;
  const stride = rowMajorStrides(data.dims)[axis] ?? 1;
  const sums = new Float64Array(size);
  (readElements(data) as Float32Array).forEach((value, i) => {
    const index = Math.floor(i / stride) % size;
    sums[index] = (sums[index] ?? 0) + Math.abs(value);
  });
  return sums;
}

function axisOf(group: StructuredGroup, { constant, axis }: GroupMember): GroupAxis {
  return group.axes.find((own) => own.value === constant && own.axis === axis) as GroupAxis;
}

/** Elements of a convolution's kernel. */
function tapsOf(graph: Graph, weight: string): number {
  return (graph.constants.get(weight)?.dims ?? []).slice(2).reduce((product, dim) => product * dim, 1);
}
