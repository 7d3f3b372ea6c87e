import * as v from 'valibot';
import { EspalierError } from '../../errors.js';
import type { Graph } from '../../graph/graph.js';
import { optionsObject, parseOptions, recordOf, shareBelowOne } from '../../options.js';
import { flagLowest } from '../rank.js';
import type { Shapes } from './analyze.js';
import { findBlocks, parametersOf, type ResidualBlock, withoutBlocks } from './blocks.js';
import { shapesSchema } from './options.js';

/** What {@link planBlockPruning} takes. */
export interface BlockPruneOptions {
  /** Share of the residual blocks to remove, in [0, 1). */
  readonly sparsity: number;
  /**
   * A score for every block by its name, the lowest go: block influence, 1 - the mean cosine of what comes in and what
   * goes out (X. Men et al., "ShortGPT", 2024), or any other. Weights alone do not tell which block matters.
   */
  readonly scores: Readonly<Record<string, number>>;
  /** Dims of inputs that the model leaves open. */
  readonly shapes?: Shapes | undefined;
}

/** Which residual blocks go. Plain data: it survives JSON. */
export interface BlockPlan {
  readonly shapes: Shapes;
  readonly blocks: readonly (ResidualBlock & { readonly score: number; readonly removed: boolean })[];
  /** Elements of all constants, before and after. */
  readonly parameters: { readonly before: number; readonly after: number };
}

export const blockScoresSchema = recordOf(v.number('a number'), 'an object of scores by block');

const schema = optionsObject({
  sparsity: shareBelowOne,
  scores: blockScoresSchema,
  shapes: v.optional(shapesSchema, {}),
});

/**
 * Chooses exactly `round(sparsity * blocks)` residual blocks to leave out; changes nothing. Ties go to the earlier one.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when an option is wrong, there is no block, or one has no score
 */
export function planBlockPruning(graph: Graph, options: BlockPruneOptions): BlockPlan {
  const { sparsity, scores, shapes } = parseOptions(schema, options, 'planBlockPruning options');
  const blocks = findBlocks(graph, { shapes });
  if (blocks.length === 0) throw fail(`a graph with residual blocks, got none in "${graph.name}"`);
  const own = blocks.map(({ name }) => {
    const score = scores[name];
    if (score !== undefined) return score;
    const names = blocks.map((block) => JSON.stringify(block.name));
    throw fail(`options.scores to have a number for each of ${names.join(', ')}, got ${score} for "${name}"`);
  });
  const flags = flagLowest(Float64Array.from(own), Math.round(sparsity * blocks.length));
  const planned = blocks.map((block, i) => ({ ...block, score: own[i] ?? 0, removed: flags[i] === 1 }));
  const after = parametersOf(withoutBlocks(graph, removedOf(planned)));
  return {
    shapes,
    blocks: planned,
    parameters: { before: parametersOf(withoutBlocks(graph, new Map())), after },
  };
}

/**
 * The graph without the blocks that a plan removes.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when the plan was not made for a graph like this one
 */
export function applyBlockPruning(graph: Graph, plan: BlockPlan): Graph {
  const known = new Map(findBlocks(graph, { shapes: plan.shapes }).map((block) => [block.name, block]));
  for (const { name, input } of plan.blocks) {
    if (known.get(name)?.input === input) continue;
    throw fail(
      `block "${name}" of the plan to add to "${input}" in the graph, got ${known.get(name)?.input ?? 'no such block'}`,
    );
  }
  return withoutBlocks(graph, removedOf(plan.blocks));
}

function removedOf(blocks: BlockPlan['blocks']): Map<string, string> {
  return new Map(blocks.filter(({ removed }) => removed).map(({ name, input }) => [name, input]));
}

function fail(expected: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${expected}`);
}
