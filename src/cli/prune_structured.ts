import { type Command, InvalidArgumentError, Option } from 'commander';
import { pushConstants } from '../calibrate/index.js';
import type { MetTarget } from '../calibrate/target/prune.js';
import { pruneStructuredToTarget } from '../calibrate/target/structured.js';
import { EspalierError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { applyPermutation, planPermutation } from '../prune/permute/plan.js';
import { applyStructuredPruning } from '../prune/structured/apply.js';
import type { UnitKind } from '../prune/structured/groups.js';
import type { StructuredPruneOptions } from '../prune/structured/options.js';
import { planStructuredPruning, type StructuredPlan } from '../prune/structured/plan.js';
import { applyBlockPruning, planBlockPruning } from '../prune/structured/plan_blocks.js';
import { formatBlockPlan, formatStructuredPlan } from '../prune/structured/print.js';
import type { Pattern } from '../sparse/patterns.js';
import { percent } from '../text.js';
import { collect, readShapes, wholeNumber } from './arguments.js';
import type { CalibratedArguments } from './calibrated.js';
import { readSamples } from './data.js';
import type { Io } from './io.js';
import { showProgress } from './progress.js';
import { blockScores, unitScores } from './structured_scores.js';
import { formatTarget, type TargetArguments, targetOf } from './target.js';

/** What a structured pattern removes: kinds of units, or whole residual blocks. */
export type StructuredPattern = readonly UnitKind[] | 'layer';

export const structuredForms = 'channel, neuron, head, embedding (or several: channel,neuron), layer';

export interface StructuredArguments
  extends TargetArguments,
    Pick<CalibratedArguments, 'method' | 'calibration' | 'gradients' | 'seed' | 'threads' | 'maxSparsity'> {
  readonly sparsity?: number;
  readonly scope: 'layer' | 'global';
  readonly measure: 'units' | 'parameters' | 'multiplyAdds';
  readonly roundTo: number;
  readonly shape: readonly string[];
  readonly scores?: string;
  readonly permute?: boolean;
  readonly operators?: readonly string[];
  readonly pushConstants?: boolean;
}

const unitKinds: ReadonlySet<string> = new Set<UnitKind>(['channel', 'neuron', 'head', 'embedding']);

/** The structured pattern of this name, undefined when it is another kind of pattern. */
export function structuredPattern(text: string): StructuredPattern | undefined {
  if (text === 'layer') return 'layer';
  const kinds = text.split(',').map((kind) => kind.trim());
  const known = kinds.filter((kind): kind is UnitKind => unitKinds.has(kind));
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
    .option(
      '--scores <file>',
      'for the pattern layer: a JSON object of scores by residual block, else by data',
    )
    .option(
      '--push-constants',
      'add what removed channels give on average to the biases behind them: on data, else by batch normalisations',
    )
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

export function shapesOf(graph: Graph, texts: readonly string[]): Record<string, number[]> {
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
  given: StructuredArguments & Pick<StructuredPruneOptions, 'include' | 'exclude'>,
  io: Io,
): Promise<{ pruned: Graph; data: object; text: () => string }> {
  const { sparsity, scope, measure, roundTo, include, exclude } = given;
  const target = targetOf(given);
  const shapes = shapesOf(graph, given.shape);
  refuse(pattern, { '--permute': given.permute === true, '--operators': given.operators !== undefined });
  if (pattern === 'layer') {
    refuse(pattern, { 'a target': target !== undefined, '--push-constants': given.pushConstants === true });
    const scores = await blockScores(graph, given, io);
    const plan = planBlockPruning(graph, { sparsity: required(sparsity), shapes, scores });
    return { pruned: applyBlockPruning(graph, plan), data: plan, text: () => formatBlockPlan(plan) };
  }
  const scored = await unitScores(graph, given, io);
  const options = { kinds: pattern, scope, measure, roundTo, include, exclude, shapes, ...scored };
  let plan: StructuredPlan;
  let met: MetTarget | undefined;
  if (target === undefined) plan = planStructuredPruning(graph, { ...options, sparsity: required(sparsity) });
  else {
    refuse(pattern, { '--sparsity beside a target': sparsity !== undefined });
    const { maxSparsity } = given;
    ({ plan, target: met } = await pruneStructuredToTarget(graph, { ...options, target, maxSparsity }));
  }
  const full =
    given.pushConstants === true
      ? await pushConstants(graph, plan, await readSamples(given.calibration, graph), given.threads)
      : graph;
  const reached = met === undefined ? '' : `\n${formatTarget(met)}`;
  return {
    pruned: applyStructuredPruning(full, plan),
    data: { ...plan, ...(met && { target: met }) },
    text: () => `${formatStructuredPlan(plan)}${reached}`,
  };
}

function required(sparsity: number | undefined): number {
  if (sparsity !== undefined) return sparsity;
  throw new EspalierError('ERR_ESPALIER_ARGUMENT', 'Expected --sparsity <share>, got none');
}

/** @throws EspalierError ERR_ESPALIER_ARGUMENT for the first option that was given and does not go with the pattern. */
function refuse(pattern: StructuredPattern, given: Readonly<Record<string, boolean>>): void {
  const foreign = Object.keys(given).find((option) => given[option] === true);
  if (foreign === undefined) return;
  const what = typeof pattern === 'string' ? pattern : pattern.join();
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    `Expected no ${foreign} with the pattern ${what}, got one`,
  );
}
