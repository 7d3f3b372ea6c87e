import { EspalierError } from '../errors.js';
import type { Graph, TensorData } from '../graph/graph.js';
import { findLayers, type Layer } from '../graph/layers.js';
import { type CheckedLayer, checkedLayers } from './check.js';
import { forEachUnit, isKept, unitCount } from './mask.js';
import type { PruningPlan } from './plan.js';
import { freshName, useCounts } from './uses.js';

/**
 * W' = W * mask for every layer of a plan: a new graph with new weight constants, sharing all else with `graph`, which
 * stays as it was. A weight that nodes outside the plan use too is copied: they keep theirs, and the pruned nodes read
 * a new constant named `<weight>_pruned`.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when the plan is malformed, or not made for a graph like this one.
 */
export function applyPruning(graph: Graph, plan: PruningPlan): Graph {
  const layers = new Map(findLayers(graph).map((layer) => [layer.name, layer]));
  const uses = useCounts(graph);
  const constants = new Map(graph.constants);
  const renamed = new Map<string, { readonly input: number; readonly name: string }[]>(); // by node
  const planned = new Set<string>();
  for (const entry of checkedLayers(plan)) {
    const layer = checkFits(entry, layers);
    if (planned.has(entry.weight))
      throw misfit(entry, `weight "${entry.weight}" once in the plan`, 'it twice');
    planned.add(entry.weight);
    const pruned = prunedConstant(graph, layer, entry);
    if (uses.get(entry.weight) === entry.nodes.length) {
      constants.set(entry.weight, pruned);
      continue;
    }
    const name = freshName(graph, constants, `${entry.weight}_pruned`);
    constants.set(name, pruned);
    for (const { node, input } of entry.nodes.map((own) => layers.get(own) as Layer))
      renamed.set(node, [...(renamed.get(node) ?? []), { input, name }]);
  }
  const nodes = graph.nodes.map((node) => {
    const inputs = [...node.inputs];
    for (const { input, name } of renamed.get(node.name) ?? []) inputs[input] = name;
    return renamed.has(node.name) ? { ...node, inputs } : node;
  });
  return { ...graph, constants, nodes: renamed.size === 0 ? graph.nodes : nodes };
}

function prunedConstant(graph: Graph, layer: Layer, entry: CheckedLayer): TensorData {
  const { type, dims, bytes } = graph.constants.get(layer.weight) as TensorData;
  const copy = new Uint8Array(bytes); // starts a buffer of its own, so it is aligned
  const weights = new Uint32Array(copy.buffer);
  forEachUnit(layer, entry.pattern, (unit, firstRow, rows, firstInput, inputs) => {
    if (isKept(entry.mask, unit)) return;
    const first = firstRow * layer.outputStride + firstInput * layer.inputStride;
    for (let row = 0; row < rows; row++) {
      for (let input = 0; input < inputs; input++)
        weights[first + row * layer.outputStride + input * layer.inputStride] = 0;
    }
  });
  return { type, dims, bytes: copy };
}

function checkFits(entry: CheckedLayer, layers: ReadonlyMap<string, Layer>): Layer {
  const [layer, ...others] = entry.nodes.map((name) => {
    const found = layers.get(name);
    const same = found !== undefined && found.op === entry.op && found.weight === entry.weight;
    if (
      same &&
      found.groups === entry.groups &&
      found.outputs === entry.outputs &&
      found.inputs === entry.inputs
    ) {
      return found;
    }
    throw misfit(
      entry,
      describe(entry),
      found === undefined ? `no such layer as "${name}"` : describe(found),
    );
  });
  if (layer === undefined) throw misfit(entry, 'at least one node', 'none');
  const differs = others.find((other) => other.outputStride !== layer.outputStride);
  if (differs !== undefined)
    throw misfit(entry, 'nodes that read the weight alike', `"${differs.name}" transposed`);
  const units = unitCount(layer, entry.pattern);
  const { mask } = entry;
  if (mask.length !== Math.ceil(units / 8))
    throw misfit(entry, `a mask of ${Math.ceil(units / 8)} bytes`, `${mask.length} bytes`);
  return layer;
}

function describe({
  op,
  groups,
  outputs,
  inputs,
  weight,
}: Pick<Layer, 'op' | 'groups' | 'outputs' | 'inputs' | 'weight'>) {
  return `a ${op} of ${groups} x [${outputs}, ${inputs}] with weight "${weight}"`;
}

function misfit(entry: CheckedLayer, expected: string, got: string): EspalierError {
  const where = `Pruning plan for layer "${entry.name}" does not fit the graph`;
  return new EspalierError('ERR_ESPALIER_ARGUMENT', `${where}: expected ${expected}, got ${got}`);
}
