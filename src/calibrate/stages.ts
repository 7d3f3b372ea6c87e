import { cutGraph } from '../graph/cut.js';
import type { Graph } from '../graph/graph.js';
import type { Layer } from '../graph/layers.js';
import { useCounts } from '../prune/uses.js';
import { orderedWeights } from '../sparse/weights.js';
import type { Place } from './normal_equations.js';
import { findSkip, type Skip } from './skip.js';
import type { Sighted } from './statistics.js';

/** A target, and what its outputs are added to, where they can make up for what that lost. */
export interface StagedTarget extends Sighted {
  readonly skip: Skip | undefined;
}

/** Targets that see the same rows, such as the queries, keys and values of attention. */
export interface Stage {
  readonly targets: readonly [StagedTarget, ...StagedTarget[]];
  /** Names of the values that the targets are solved by. */
  readonly views: readonly string[];
}

/** Stages of neighbouring targets, in order. */
export function stagesOf(
  graph: Graph,
  targets: readonly Sighted[],
  { refit }: { readonly refit: boolean },
): Stage[] {
  const lists: [Sighted, ...Sighted[]][] = [];
  const keyOf = ({ sights }: Sighted) => sights.map(({ key }) => key).join('\n');
  for (const target of targets) {
    const last = lists.at(-1);
    if (last !== undefined && keyOf(last[0]) === keyOf(target)) last.push(target);
    else lists.push([target]);
  }
  return lists.map((list) => {
    const staged = list.map((sighted) => ({
      ...sighted,
      skip: refit ? usableSkip(graph, sighted, list) : undefined,
    })) as unknown as [StagedTarget, ...StagedTarget[]];
    const inputs = list[0].sights.map(({ input }) => input);
    return {
      targets: staged,
      views: [...new Set([...inputs, ...staged.flatMap(({ skip }) => skip?.value ?? [])])],
    };
  });
}

/** Whether a weight belongs to one node, so that what it hands on can be changed for that one. */
export function isAlone(graph: Graph, layer: Layer, nodes: readonly string[]): boolean {
  return nodes.length === 1 && (useCounts(graph).get(layer.weight) ?? 0) === 1;
}

/** Two layers of a stage that are added to each other would both make up for the same. */
function usableSkip(graph: Graph, { target }: Sighted, stage: readonly Sighted[]): Skip | undefined {
  const { layer, nodes } = target;
  const skip = isAlone(graph, layer, nodes) ? findSkip(graph, layer) : undefined;
  if (skip === undefined || stage.length === 1) return skip;
  const members = new Set(stage.flatMap((one) => one.target.nodes));
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  if (inputs.has(skip.value)) return skip;
  return cutGraph(graph, [skip.value]).nodes.some(({ name }) => members.has(name)) ? undefined : skip;
}

/** Where the outputs and the corrections of each target are among those of all. */
export function placesOf(targets: Stage['targets']): Place[] {
  let outputs = 0;
  let corrections = 0;
  return targets.map(({ target: { layer }, skip }) => {
    const place = { outputs, corrections: skip === undefined ? undefined : corrections };
    outputs += layer.outputs;
    if (skip !== undefined) corrections += layer.outputs;
    return place;
  });
}

/** Products of fewer inputs take too little, memory and time, to do without. */
const manyInputs = 512;

/**
 * The weights by which inputs of the dense network are counted as its outputs, of all targets: [outputs, inputs].
 * undefined where that would save nothing: products of the outputs with x would be as many as those of the inputs.
 */
export function projectionOf(
  dense: Graph,
  targets: Stage['targets'],
  group: number,
): Float32Array | undefined {
  const { inputs } = targets[0].target.layer;
  const outputs = targets.reduce((sum, { target }) => sum + target.layer.outputs, 0);
  if (inputs < manyInputs || 2 * outputs >= inputs) return undefined;
  const projection = new Float32Array(outputs * inputs);
  let end = 0;
  for (const { target } of targets) {
    const size = target.layer.outputs * inputs;
    projection.set(orderedWeights(dense, target.layer).subarray(group * size, (group + 1) * size), end);
    end += size;
  }
  return projection;
}
