import { cutGraph } from '../graph/cut.js';
import type { Graph } from '../graph/graph.js';
import type { Layer } from '../graph/layers.js';
import { useCounts } from '../prune/uses.js';
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
