import { EspalierError } from '../errors.js';
import { readElements } from '../graph/data.js';
import type { Graph, TensorData } from '../graph/graph.js';
import { findLayers, type Layer } from '../graph/layers.js';
import { fitTensors, type LoadWeightsOptions } from '../graph/load_weights.js';
import { nearest } from '../options.js';
import { forEachUnit, isKept } from './mask.js';
import { type PlannedLayer, type PruningPlan, plannedLayer } from './plan.js';
import { planTotals } from './print.js';

/** What torch.nn.utils.prune adds to the name of a weight for its mask. */
const maskSuffix = '_mask';

/**
 * The plan that removes the weights whose masks are 0: masks by name of the weight, or with `_mask` behind it, in the
 * dims of the weight, of any type, with 0 for removed and 1 for kept. Layers without a mask stay as they are.
 * @param options as of `loadWeights`: which masks are transposed, or named otherwise
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for a mask that is for no layer's weight, or has other values,
 *   ERR_ESPALIER_SHAPE when one does not fit
 */
export function planMasks(
  graph: Graph,
  masks: ReadonlyMap<string, TensorData>,
  options: Pick<LoadWeightsOptions, 'transposed' | 'names'> = {},
): PruningPlan {
  const layers = layersByWeight(graph);
  const names = { ...namesWithoutSuffix(graph, masks), ...options.names };
  const fitted = fitTensors(graph, masks, { ...options, names });
  for (const weight of fitted.keys()) {
    if (layers.has(weight)) continue;
    const known = nearest(weight, [...layers.keys()]);
    throw wrong('masks of weights of a Conv, Gemm or MatMul', `one for "${weight}"; ${known}`);
  }
  const planned: PlannedLayer[] = [];
  for (const [weight, [layer, ...others]] of layers) {
    const mask = fitted.get(weight);
    if (mask === undefined || layer === undefined) continue;
    const nodes = [layer, ...others].map(({ name }) => name);
    planned.push(plannedLayer({ layer, nodes, pattern: 'unstructured' }, removedWeights(layer, mask)));
  }
  const { sparsity } = planTotals({ layers: planned });
  const none = { include: [], exclude: [], operators: [], layers: {} };
  return {
    options: { sparsity, pattern: 'unstructured', scope: 'layer', importance: 'masks', ...none },
    layers: planned,
  };
}

/**
 * The mask of each weight of a plan, by the weight's name and in its dims: bool, 1 where the weight is kept.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when the graph lacks a layer of the plan
 */
export function masksOf(graph: Graph, plan: PruningPlan): Map<string, TensorData> {
  const layers = layersByWeight(graph);
  return new Map(
    plan.layers.map((planned) => {
      const layer = layers.get(planned.weight)?.find(({ name }) => name === planned.name);
      const dims = graph.constants.get(planned.weight)?.dims;
      if (layer === undefined || dims === undefined)
        throw wrong('a graph that the plan was made for', `one without layer "${planned.name}"`);
      const bytes = new Uint8Array(layer.groups * layer.outputs * layer.inputs);
      forEachUnit(layer, planned.pattern, (unit, firstRow, rows, firstInput, inputs) => {
        const kept = isKept(planned.mask, unit) ? 1 : 0;
        for (let row = firstRow; row < firstRow + rows; row++)
          for (let input = firstInput; input < firstInput + inputs; input++)
            bytes[row * layer.outputStride + input * layer.inputStride] = kept;
      });
      return [planned.weight, { type: 'bool', dims, bytes }];
    }),
  );
}

/** All layers that read each weight, in node order. */
function layersByWeight(graph: Graph): Map<string, Layer[]> {
  const layers = new Map<string, Layer[]>();
  for (const layer of findLayers(graph))
    layers.set(layer.weight, [...(layers.get(layer.weight) ?? []), layer]);
  return layers;
}

function namesWithoutSuffix(graph: Graph, masks: ReadonlyMap<string, TensorData>): Record<string, string> {
  const suffixed = [...masks.keys()].filter(
    (name) => name.endsWith(maskSuffix) && !graph.constants.has(name),
  );
  return Object.fromEntries(suffixed.map((name) => [name, name.slice(0, -maskSuffix.length)]));
}

/** 1 for each removed weight, in (group, output, input) order. */
function removedWeights(layer: Layer, mask: TensorData): Uint8Array {
  const values = readElements(mask); // in stored order
  for (const value of values)
    if (Number(value) !== 0 && Number(value) !== 1)
      throw wrong(`a mask of 0 and 1 for weight "${layer.weight}"`, String(value));
  const { inputs, outputStride, inputStride } = layer;
  const removed = new Uint8Array(values.length);
  for (let row = 0, at = 0; row < layer.groups * layer.outputs; row++)
    for (let input = 0; input < inputs; input++, at++)
      removed[at] = Number(values[row * outputStride + input * inputStride]) === 0 ? 1 : 0;
  return removed;
}

function wrong(expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${expected}, got ${got}`);
}
