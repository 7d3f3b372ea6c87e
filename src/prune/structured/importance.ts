import { EspalierError } from '../../errors.js';
import { readElements } from '../../graph/data.js';
import type { Graph, TensorData } from '../../graph/graph.js';
import { rowMajorStrides } from '../../graph/operators/strided.js';
import { batchesOf, type GradientBatches, type Gradients } from '../importance_gradient.js';
import type { GroupAxis, StructuredGroup } from './groups.js';

/**
 * Scores the units of a group as wholes: [units], the lowest go first; undefined leaves a group to the scores of its
 * weights. In global scope scores of all groups are compared.
 */
export type GroupImportance = (graph: Graph, group: StructuredGroup) => Float64Array | undefined;

function named(name: string, importance: GroupImportance): GroupImportance {
  return Object.defineProperty(importance, 'name', { value: name });
}

/**
 * (sum of g w over all weights that go with a unit)^2, the mean over batches: what the loss loses with the unit, to
 * first order. P. Molchanov et al., "Importance Estimation for Neural Network Pruning", 2019 (arXiv 1906.10771).
 * @param members whose weights: `all` constants of the unit that have a gradient, the `output` weights that give it, or
 *   the `gate`, scale and shift of its batch normalisation, which the paper finds best
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when no constant of a group has a gradient, or one does not fit
 */
export function groupTaylor(
  gradients: GradientBatches,
  members: 'all' | 'output' | 'gate' = 'all',
): GroupImportance {
  const batches = batchesOf(gradients);
  return named('groupTaylor', (graph, group) => {
    const gates = new Set(normalisers(graph).flatMap(({ inputs }) => inputs.slice(1, 3)));
    const axes = group.axes.filter(({ value, axis }) => {
      const member = group.members.find((own) => own.constant === value && own.axis === axis);
      if (member === undefined || !batches.every((batch) => batch.has(value))) return false;
      return members === 'all' || (members === 'output' ? member.role === 'output' : gates.has(value));
    });
    if (axes.length === 0) {
      const names = group.members.map(({ constant }) => JSON.stringify(constant)).slice(0, 8);
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected a gradient of one of ${names.join(', ')} for group "${group.name}", got none`,
      );
    }
    const scores = new Float64Array(group.units);
    for (const batch of batches) {
      const sums = new Float64Array(group.units);
      for (const axis of axes)
        addToUnits(sums, axis, productSums(graph.constants.get(axis.value) as TensorData, batch, axis));
      sums.forEach((sum, unit) => {
        scores[unit] = (scores[unit] as number) + sum ** 2 / batches.length;
      });
    }
    return scores;
  });
}

/**
 * |mean over positions of z dL/dz| of a unit's activations z, the mean over samples, of 2-norm 1 over each group: P.
 * Molchanov et al., "Pruning Convolutional Neural Networks for Resource Efficient Inference", 2017 (arXiv 1611.06440).
 * @param activations of values of the model, by name, samples along the first axis; of a group one is enough
 * @param gradients of the loss by the same values
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when a group has no such value, or dims do not fit
 */
export function activationTaylor(activations: Gradients, gradients: Gradients): GroupImportance {
  return named('activationTaylor', (_graph, group) => {
    const axis = group.axes.find(
      ({ value, axis: own }) => own > 0 && activations.has(value) && gradients.has(value),
    );
    if (axis === undefined) {
      const names = group.axes.map(({ value }) => JSON.stringify(value)).slice(0, 8);
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected the activations of one of ${names.join(', ')} and their gradients for group "${group.name}", got none`,
      );
    }
    const data = activations.get(axis.value) as TensorData;
    const [samples = 0] = data.dims;
    const size = data.dims[axis.axis] ?? 1;
    const scores = new Float64Array(group.units);
    const sums = productSums(data, gradients, axis, true);
    for (let sample = 0; sample < samples; sample++) {
      const own = new Float64Array(group.units);
      addToUnits(own, axis, sums.subarray(sample * size, (sample + 1) * size));
      own.forEach((sum, unit) => {
        scores[unit] = (scores[unit] as number) + Math.abs(sum) / samples;
      });
    }
    const norm = Math.hypot(...scores);
    return norm === 0 ? scores : scores.map((score) => score / norm);
  });
}

/**
 * The mean of |gamma| over the batch normalisations of a unit; groups without one are left to their weights. Z. Liu et
 * al., "Learning Efficient Convolutional Networks through Network Slimming", 2017 (arXiv 1708.06519).
 */
export const groupScale: GroupImportance = named('groupScale', (graph, group) => {
  const scales = new Set(normalisers(graph).map(({ inputs }) => inputs[1]));
  const axes = group.axes.filter(({ value }) => scales.has(value) && graph.constants.has(value));
  if (axes.length === 0) return undefined;
  const scores = new Float64Array(group.units);
  for (const axis of axes) {
    const gamma = readElements(graph.constants.get(axis.value) as TensorData) as Float32Array;
    addToUnits(
      scores,
      axis,
      Float64Array.from(gamma, (value) => Math.abs(value) / axes.length),
    );
  }
  return scores;
});

/**
 * The scores of a group.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when they are not one number for each unit
 */
export function groupScores(importance: GroupImportance, graph: Graph, group: StructuredGroup) {
  const scores = importance(graph, group);
  if (scores === undefined) return undefined;
  const fits = scores instanceof Float64Array && scores.length === group.units;
  if (fits && !scores.some(Number.isNaN)) return scores;
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    `Expected groupImportance of group "${group.name}" to be a Float64Array of ${group.units} numbers, got ` +
      `${fits ? 'NaN' : `${(scores as ArrayLike<unknown>)?.length ?? typeof scores} values`}`,
  );
}

function normalisers({ nodes }: Graph) {
  return nodes.filter(({ op, domain }) => op === 'BatchNormalization' && domain === '');
}

/** Adds what belongs to each index of an axis to the unit it goes with. */
function addToUnits(units: Float64Array, { perUnit, indices }: GroupAxis, values: Float64Array): void {
  indices.forEach((index, i) => {
    const unit = Math.floor(i / perUnit);
    units[unit] = (units[unit] as number) + (values[index] as number);
  });
}

/** Sums of x g over each index of an axis: [size]; or [samples, size] and means, apart for the indices of axis 0. */
function productSums(
  x: TensorData,
  gradients: Gradients,
  { value, axis }: GroupAxis,
  perSample = false,
): Float64Array {
  const g = gradients.get(value) as TensorData;
  if (g.dims.join() !== x.dims.join()) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected a gradient of "${value}" of [${x.dims.join(', ')}], got [${g.dims.join(', ')}]`,
    );
  }
  const [values, slopes] = [readElements(x), readElements(g)];
  const size = x.dims[axis] ?? 1;
  const stride = rowMajorStrides(x.dims)[axis] ?? 1;
  const samples = perSample ? (x.dims[0] ?? 1) : 1;
  const each = values.length / samples;
  const scale = perSample ? size / each : 1;
  const sums = new Float64Array(samples * size);
  for (let i = 0; i < values.length; i++) {
    const at = Math.floor(i / each) * size + (Math.floor(i / stride) % size);
    sums[at] = (sums[at] as number) + Number(values[i]) * Number(slopes[i]) * scale;
  }
  return sums;
}
