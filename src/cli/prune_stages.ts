import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import {
  idleStageOptions,
  isStructureStage,
  parseRecipe,
  type Stage,
  scheduledStages,
  structureOf,
  usesData,
} from '../calibrate/index.js';
import { EspalierError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { idleOptions, type Needs, parseMatcher, refuseIdle } from '../options.js';
import { readGradients, readScores, readSensitivity } from './data.js';
import { flagOf, givenOptions } from './idle.js';
import { fileError } from './io.js';
import { type PruneArguments, shapesOf } from './prune_options.js';
import { targetOf } from './target.js';

/** Options that stages of one kind have, and the others do not. */
const ofMasks = [
  'operators',
  'refit',
  'compensate',
  'recalibrateBatchNorm',
  'allocation',
  'minSparsity',
  'sensitivity',
];
const ofStructures = ['measure', 'roundTo', 'scores', 'pushConstants'];

/** Flags that stages have under the same names, with the same values. */
const asTheyAre = [
  ...(['sparsity', 'pattern', 'scope', 'operators', 'method', 'refit', 'compensate', 'allocation'] as const),
  ...(['minSparsity', 'maxSparsity', 'rows', 'seed', 'measure', 'roundTo', 'pushConstants'] as const),
];

/** What stages call what a flag says otherwise. */
const flagKeys: Readonly<Record<string, string>> = { recalibrateBatchNorm: 'recalibrateBn' };

/**
 * The stages that a command line asks for: those of its recipe, over whose options flags win, or one of its flags, or
 * several where it asks for them.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for options that are wrong or do nothing
 */
export async function stagesOf(command: Command, graph: Graph): Promise<readonly Stage[]> {
  const given = givenOptions<PruneArguments>(command);
  const own = await ownOptions(given, graph);
  const stages = given.recipe === undefined ? flagStages(given, own) : await recipeStages(given, own);
  refuseUnused(command, given, stages, own);
  return stages;
}

async function ownOptions(given: Partial<PruneArguments>, graph: Graph): Promise<Record<string, unknown>> {
  const all = {
    ...Object.fromEntries(asTheyAre.map((key) => [key, given[key]])),
    recalibrateBatchNorm: given.recalibrateBn,
    include: given.include?.map(parseMatcher),
    exclude: given.exclude?.map(parseMatcher),
    sensitivity: await readSensitivity(given.sensitivity),
    scores: await readScores(given.scores),
    gradients: await readGradients(given.gradients),
    target: targetOf(given),
    shapes: given.shape && shapesOf(graph, given.shape),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** A stage with what flags say over it, as far as stages of its kind have it. */
function withOwn(stage: Stage, own: Readonly<Record<string, unknown>>): Stage {
  const merged = { ...stage, ...own } as Stage;
  const hasShapes = isStructureStage(merged) || 'target' in merged;
  const foreign = [...(isStructureStage(merged) ? ofMasks : ofStructures), ...(hasShapes ? [] : ['shapes'])];
  return Object.fromEntries(
    Object.entries(merged).filter(([key]) => key in stage || !foreign.includes(key)),
  ) as unknown as Stage;
}

async function recipeStages(
  { recipe = '', stages: count, schedule }: Partial<PruneArguments>,
  own: Readonly<Record<string, unknown>>,
): Promise<Stage[]> {
  if (count !== undefined || schedule !== undefined)
    throw wrong('--stages and --schedule without --recipe, which says its stages itself', 'both');
  const text = await readFile(recipe, 'utf8').catch((cause: unknown) => {
    throw fileError('a recipe at', recipe, cause);
  });
  const { stages } = parseRecipe(text, `recipe ${recipe}`);
  if (own['pattern'] !== undefined && [...stages, own as unknown as Stage].some(isStructureStage))
    throw wrong(
      '--pattern without a recipe of structures, whose stages have their own',
      String(own['pattern']),
    );
  return stages.map((stage) => withOwn(stage, own));
}

function flagStages(
  { calibration, stages: count, schedule }: Partial<PruneArguments>,
  own: Readonly<Record<string, unknown>>,
): readonly Stage[] {
  const { pattern } = own as { pattern?: Stage['pattern'] };
  if (structureOf(pattern) !== undefined) return [withOwn({ pattern } as Stage, own)];
  const usual = calibration === undefined ? { method: 'magnitude', refit: false } : { method: 'admm' };
  const stage = withOwn(usual as Stage, own);
  if (count === undefined) return [stage];
  if ('target' in stage) throw wrong('--stages with a sparsity', 'a target');
  return scheduledStages(
    stage as Parameters<typeof scheduledStages>[0],
    { curve: schedule, stages: count },
    'options',
  );
}

/** What a command line asks for: its flags and stages. */
type Asked = Partial<PruneArguments> & { readonly own: readonly Stage[] };

const zeros = ['a pattern of zeros', ({ own }: Asked) => !own.every(isStructureStage)] as const;
const structure = [
  'a structure such as --pattern channel',
  ({ own }: Asked) => own.some(isStructureStage),
] as const;
const data = ['a method or a fit that uses data', ({ own }: Asked) => own.some(usesData)] as const;
const latency = [
  '--target-p50-ms or --target-p99-ms',
  ({ targetP50Ms, targetP99Ms, recipe }: Asked) => (targetP50Ms ?? targetP99Ms ?? recipe) !== undefined,
] as const;
const onnx = [
  'an output that is no .esp',
  ({ output }: Asked) => output?.endsWith('.esp') === false,
] as const;

const needs: Needs<Asked> = {
  ...{ refit: zeros, compensate: zeros, recalibrateBn: zeros, allocation: zeros, sensitivity: zeros },
  ...{ operators: zeros, permute: zeros, minSparsity: zeros },
  ...{ measure: structure, roundTo: structure, scores: structure, pushConstants: structure },
  stages: zeros,
  schedule: ['--stages', ({ stages }) => stages !== undefined],
  calibration: data,
  rows: ['--calibration', ({ calibration }) => calibration !== undefined],
  threads: [
    '--calibration or --push-constants',
    ({ calibration, pushConstants }) => calibration !== undefined || pushConstants === true,
  ],
  targetThreads: latency,
  targetSeconds: latency,
  shape: [
    'a structure, a target, --permute or an output of .esp',
    ({ own, permute, output }) =>
      permute === true || output?.endsWith('.esp') === true || own.some((stage) => 'shapes' in stage),
  ],
  externalData: onnx,
  sparseInitializers: onnx,
};

/** Refuses flags that no stage has a use for; what a recipe says itself was checked when it was read. */
function refuseUnused(
  command: Command,
  given: Partial<PruneArguments>,
  stages: readonly Stage[],
  own: Readonly<Record<string, unknown>>,
): void {
  const asked: Asked = { ...given, own: stages };
  refuseIdle(idleOptions(given, asked, needs), (key) => flagOf(command, key));
  const [first, ...others] = stages.map((stage) => idleStageOptions(stage));
  const everywhere = [...(first ?? [])].filter(
    ([key]) => key in own && others.every((idle) => idle.has(key)),
  );
  refuseIdle(new Map(everywhere), (key) => flagOf(command, flagKeys[key] ?? key));
}

function wrong(expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${expected}, got ${got}`);
}
