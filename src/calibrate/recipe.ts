import { parse, YAMLParseError } from 'yaml';
import { EspalierError } from '../errors.js';
import { parseMatcher } from '../options.js';
import { type CalibratedOptions, parseCalibratedOptions } from './options.js';

/** What a file can say of a pruning: one or more stages, each of which starts from what the one before left. */
export interface Recipe {
  readonly stages: readonly CalibratedOptions[];
}

const functionsOnly = ['gradients', 'threads', 'state', 'onProgress', 'activationBytes'];

/**
 * Reads a recipe: the options of {@link pruneCalibrated}, as YAML or JSON, or `stages` with a list of them. Matchers of
 * layers may be `re:<regular expression>`.
 * @param where names the recipe in messages
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for what is no YAML, and for options that are unknown or do not fit
 */
export function parseRecipe(text: string, where: string): Recipe {
  const content = parseYaml(text, where);
  if (!isObject(content)) throw wrong(where, 'an object of options', describe(content));
  const { stages, ...options } = content;
  if (stages === undefined) return { stages: [readStage(options, where)] };
  const [extra] = Object.keys(options);
  if (extra !== undefined) throw wrong(where, 'nothing but stages beside stages', `"${extra}"`);
  if (!Array.isArray(stages) || stages.length === 0)
    throw wrong(`${where}.stages`, 'a list of options', describe(stages));
  return { stages: stages.map((stage: unknown, i) => readStage(stage, `${where}.stages.${i}`)) };
}

/** Stages as a file can hold them: what a model's history says of how it was pruned. */
export function plainStages(stages: readonly CalibratedOptions[]): unknown[] {
  const plain = stages.map((stage) =>
    Object.fromEntries(Object.entries(stage).filter(([key]) => !functionsOnly.includes(key))),
  );
  const text = JSON.stringify(plain, (_key, value: unknown) =>
    value instanceof RegExp ? `re:${value.source}` : value,
  );
  return JSON.parse(text) as unknown[];
}

function readStage(stage: unknown, where: string): CalibratedOptions {
  if (!isObject(stage)) throw wrong(where, 'an object of options', describe(stage));
  const wrongKey = functionsOnly.find((key) => key in stage);
  if (wrongKey !== undefined) throw wrong(where, 'options that a file can hold', `"${wrongKey}"`);
  const read = { ...stage };
  for (const key of ['include', 'exclude'])
    if (Array.isArray(read[key]))
      read[key] = read[key].map((item: unknown) => (typeof item === 'string' ? parseMatcher(item) : item));
  parseCalibratedOptions(read, where);
  return read as unknown as CalibratedOptions;
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
