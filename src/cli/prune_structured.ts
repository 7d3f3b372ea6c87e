import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { EspalierError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { applyPermutation, planPermutation } from '../prune/permute/plan.js';
import { applyStructuredPruning } from '../prune/structured/apply.js';
import type { UnitKind } from '../prune/structured/groups.js';
import { planStructuredPruning } from '../prune/structured/plan.js';
import {
  applyBlockPruning,
  type BlockPruneOptions,
  planBlockPruning,
} from '../prune/structured/plan_blocks.js';
import { formatBlockPlan, formatStructuredPlan } from '../prune/structured/print.js';
import type { Pattern } from '../sparse/patterns.js';
import { percent } from '../text.js';
import { collect, readShapes, wholeNumber } from './arguments.js';
import { fileError, type Io } from './io.js';
import { showProgress } from './progress.js';

/** What a structured pattern removes: kinds of units, or whole residual blocks. */
export type StructuredPattern = readonly UnitKind[] | 'layer';

export const structuredForms = 'channel, neuron, head (or several: channel,neuron), layer';

export interface StructuredArguments {
  readonly sparsity?: number;
  readonly scope: 'layer' | 'global';
  readonly measure: 'units' | 'parameters' | 'multiplyAdds';
  readonly roundTo: number;
  readonly shape: readonly string[];
  readonly scores?: string;
  readonly permute?: boolean;
  readonly operators?: readonly string[];
}

/** The structured pattern of this name, undefined when it is another kind of pattern. */
export function structuredPattern(text: string): StructuredPattern | undefined {
  if (text === 'layer') return 'layer';
  const kinds = text.split(',').map((kind) => kind.trim());
  const known = kinds.filter((kind) => kind === 'channel' || kind === 'neuron' || kind === 'head');
  return known.length === kinds.length ? known : undefined;
}

export function addStructuredOptions(command: Command): Command {
  return command
    .option('--round-to <n>', 'keep multiples of so many channels', wholeNumber(1), 1)
    .addOption(
      new Option('--measure <measure>', 'what the share of channels, neurons or heads is of')
        .choices(['units', 'parameters', 'multiply-adds'])
        .argParser((text) => {
          const measures = { units: 'units', parameters: 'parameters', 'multiply-adds': 'multiplyAdds' };
          if (Object.hasOwn(measures, text)) return measures[text as keyof typeof measures];
          throw new InvalidArgumentError(`Allowed choices are ${Object.keys(measures).join(', ')}.`);
        })
        .default('units'),
    )
    .option('--permute', 'first bring channels into an order with which a pattern Rx1 or N:M keeps more')
    .option('--scores <file>', 'for the pattern layer: a JSON object of scores by residual block')
    .option(
      '--shape <name=dims>',
      'dims of an input that the model leaves open; repeat for more',
      collect,
      [],
    );
}

/** The graph with its channels in an order with which the pattern keeps more. */
export function permute(
  graph: Graph,
  pattern: Pattern,
  { sparsity, shape }: Pick<StructuredArguments, 'sparsity' | 'shape'>,
  io: Io,
): Graph {
  const progress = showProgress(io, 'order of channels');
  try {
    const shapes = shapesOf(graph, shape);
    const plan = planPermutation(graph, { pattern, sparsity, shapes, onProgress: progress.update });
    const { before, after } = plan.kept;
    progress.stop();
    io.err(`order of channels: ${percent(after)} of all magnitudes kept, ${percent(before)} without\n`);
    return applyPermutation(graph, plan);
  } finally {
    progress.stop();
  }
}

function shapesOf(graph: Graph, texts: readonly string[]): Record<string, number[]> {
  return Object.fromEntries(
    readShapes(
      texts,
      graph.inputs.map(({ name }) => name),
    ),
  );
}

/** A graph without channels, neurons, heads or blocks, and what to print about it. */
export async function pruneStructured(
  graph: Graph,
  pattern: StructuredPattern,
  given: StructuredArguments & Pick<Parameters<typeof planStructuredPruning>[1], 'include' | 'exclude'>,
): Promise<{ pruned: Graph; data: object; text: () => string }> {
  const { sparsity, scope, measure, roundTo, include, exclude } = given;
  if (sparsity === undefined)
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', 'Expected --sparsity <share>, got none');
  const foreign =
    given.permute === true ? '--permute' : given.operators === undefined ? undefined : '--operators';
  if (foreign !== undefined) {
    const what = typeof pattern === 'string' ? pattern : pattern.join();
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected no ${foreign} with the pattern ${what}, got one`,
    );
  }
  const shapes = shapesOf(graph, given.shape);
  if (pattern === 'layer') {
    const plan = planBlockPruning(graph, { sparsity, shapes, scores: await readScores(given.scores) });
    return { pruned: applyBlockPruning(graph, plan), data: plan, text: () => formatBlockPlan(plan) };
  }
  const options = { sparsity, kinds: pattern, scope, measure, roundTo, include, exclude, shapes };
  const plan = planStructuredPruning(graph, options);
  return { pruned: applyStructuredPruning(graph, plan), data: plan, text: () => formatStructuredPlan(plan) };
}

async function readScores(file: string | undefined): Promise<BlockPruneOptions['scores']> {
  if (file === undefined) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      'Expected --scores <file> for the pattern layer: weights alone do not tell which residual block matters',
    );
  }
  try {
    return JSON.parse(await readFile(file, 'utf8')) as BlockPruneOptions['scores']; // checked by the plan
  } catch (cause) {
    throw fileError('JSON in', file, cause);
  }
}
