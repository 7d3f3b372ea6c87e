import * as v from 'valibot';
import { parse, YAMLParseError } from 'yaml';
import { EspalierError } from '../errors.js';
import { optionsObject, parseMatcher, parseOptions, refuseIdle, wholeNumber } from '../options.js';
import { scheduleNames, stageSparsities } from '../prune/schedule.js';
import { isPattern, patternForms } from '../sparse/patterns.js';
import type { CalibratedOptions } from './options.js';
import { idleStageOptions, isStructureStage, type Stage } from './stage.js';
import { structureForms, structureOf } from './structured/options.js';
import { checkTargetOptions, type TargetOptions } from './target/target_options.js';

/** What a file can say of a pruning: one or more stages, each of which starts from what the one before left. */
export interface Recipe {
  readonly stages: readonly Stage[];
}

const functionsOnly = ['gradients', 'threads', 'state', 'onProgress', 'activationBytes', 'meter'];

/** Several stages in the place of one, of rising sparsity. */
const scheduleSchema = optionsObject({
  curve: v.optional(v.picklist(scheduleNames, `one of ${scheduleNames.join(', ')}`)),
  stages: wholeNumber(1, 1000),
});

/**
 * Reads a recipe: the options of {@link pruneCalibrated}, as YAML or JSON, or `stages` with a list of them. Matchers of
 * layers may be `re:<regular expression>`; `target` in the place of `sparsity` is what has to be met, `schedule` makes
 * of one stage several, and with a `pattern` that is a structure, such as channel, options are those of
 * {@link pruneStructure}.
 * @param where names the recipe in messages
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for what is no YAML, and for options that are unknown, do not fit, or do
 *   nothing
 */
export function parseRecipe(text: string, where: string): Recipe {
  const content = parseYaml(text, where);
  if (!isObject(content)) throw wrong(where, 'an object of options', describe(content));
  const { stages, ...options } = content;
  if (stages === undefined) return { stages: readStages(options, where) };
  const [extra] = Object.keys(options);
  if (extra !== undefined) throw wrong(where, 'nothing but stages beside stages', `"${extra}"`);
  if (!Array.isArray(stages) || stages.length === 0)
    throw wrong(`${where}.stages`, 'a list of options', describe(stages));
  return { stages: stages.flatMap((stage: unknown, i) => readStages(stage, `${where}.stages.${i}`)) };
}

/** Stages as a file can hold them: what a model's history says of how it was pruned. */
export function plainStages(stages: readonly Stage[]): unknown[] {
  const left = new Set([...functionsOnly, 'sensitivity']);
  const plain = stages.map((stage) =>
    Object.fromEntries(Object.entries(stage).filter(([key]) => !left.has(key))),
  );
  const text = JSON.stringify(plain, (_key, value: unknown) =>
    value instanceof RegExp ? `re:${value.source}` : value,
  );
  return JSON.parse(text) as unknown[];
}

/** @throws EspalierError ERR_ESPALIER_ARGUMENT when the schedule is wrong, or there is no sparsity for it to rise to */
export function scheduledStages(
  options: CalibratedOptions,
  schedule: unknown,
  where: string,
): CalibratedOptions[] {
  const { curve, stages } = parseOptions(scheduleSchema, schedule, `${where}.schedule`);
  const { sparsity } = options;
  if (sparsity === undefined) throw wrong(where, 'options with a sparsity for the schedule', 'none');
  return stageSparsities({ curve, to: sparsity }, stages).map((own) => ({ ...options, sparsity: own }));
}

function readStages(stage: unknown, where: string): Stage[] {
  if (!isObject(stage)) throw wrong(where, 'an object of options', describe(stage));
  const wrongKey = functionsOnly.find((key) => key in stage);
  if (wrongKey !== undefined) throw wrong(where, 'options that a file can hold', `"${wrongKey}"`);
  const { schedule, ...read } = stage;
  for (const key of ['include', 'exclude'])
    if (Array.isArray(read[key]))
      read[key] = read[key].map((item: unknown) => (typeof item === 'string' ? parseMatcher(item) : item));
  const { pattern, sparsity, target } = read;
  if (typeof pattern === 'string' && !isPattern(pattern) && structureOf(pattern) === undefined)
    throw wrong(`${where}.pattern`, `${patternForms}; or ${structureForms}`, JSON.stringify(pattern));
  const checked = read as unknown as Stage; // what it is asked for next says whether it is
  const isStructure = isStructureStage(checked);
  if (isStructure && schedule !== undefined)
    throw wrong(where, 'options without a schedule, which masks alone have', 'a structure with one');
  if (!isStructure && target !== undefined) {
    for (const [key, value] of Object.entries({ sparsity, schedule }))
      if (value !== undefined) throw wrong(where, 'options with a target', `"${key}" beside it`);
    checkTargetOptions(read as unknown as TargetOptions, where);
  }
  refuseIdle(idleStageOptions(checked, where), (key) => `${where}.${key}`);
  return schedule === undefined ? [checked] : scheduledStages(checked as CalibratedOptions, schedule, where);
}

function parseYaml(text: string, where: string): unknown {
  try {
    return parse(text, { maxAliasCount: 0 }); // JSON is YAML
  } catch (cause) {
    if (cause instanceof YAMLParseError || cause instanceof ReferenceError)
      throw wrong(where, 'YAML or JSON', cause.message.split('\n')[0] as string);
    throw cause;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  return Array.isArray(value) ? 'a list' : value === null ? 'nothing' : typeof value;
}

function wrong(where: string, expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${where} to be ${expected}, got ${got}`);
}
