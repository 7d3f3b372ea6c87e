import * as v from 'valibot';
import { EspalierError } from '../errors.js';
import { optionsObject, parseOptions, wholeNumber } from '../options.js';
import type { SessionOptions as EspalierOptions } from '../session_options.js';

const any = v.optional(v.unknown());
const flag = v.optional(v.boolean('a boolean'));
const text = v.optional(v.string('a string'));
const oneOf = <const Names extends readonly string[]>(...names: Names) =>
  v.optional(v.picklist(names, `one of ${names.join(', ')}`));
const threads = v.optional(wholeNumber(0, 256));
const severity = v.optional(wholeNumber(0, 4));
const provider = v.union(
  [v.string(), v.looseObject({ name: v.string() })],
  'a name, or an object with a name',
);

// What is not used is checked where onnxruntime checks it.
const schema = optionsObject({
  executionProviders: v.optional(v.array(provider, 'an array of execution providers')),
  intraOpNumThreads: threads,
  interOpNumThreads: threads,
  executionMode: oneOf('sequential', 'parallel'),
  freeDimensionOverrides: any,
  graphOptimizationLevel: oneOf('disabled', 'basic', 'extended', 'layout', 'all'),
  enableCpuMemArena: flag,
  enableMemPattern: flag,
  logId: text,
  logSeverityLevel: severity,
  logVerbosityLevel: any,
  enableGraphCapture: any,
  extra: v.optional(v.looseObject({}, 'an object')),
  preferredOutputLocation: any,
  enableProfiling: flag,
  profileFilePrefix: any,
  optimizedModelFilePath: text,
  externalData: v.optional(v.array(v.unknown(), 'an array')),
});

const runSchema = v.looseObject(
  { logSeverityLevel: severity, tag: text, terminate: v.optional(v.unknown()) },
  'an object',
);

/**
 * Checks the options of a run, of which unknown ones are passed over, as onnxruntime does.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for one that onnxruntime refuses, and for `terminate: true`
 */
export function checkRunOptions(given: unknown): void {
  const { terminate } = parseOptions(runSchema, given, 'run options');
  if (terminate === true)
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', 'Expected a run that goes on, got terminate: true');
}

/**
 * Espalier's options for those of onnxruntime.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for unknown ones and other execution providers, ERR_ESPALIER_UNSUPPORTED
 *   for those that ask for something that espalier does not do
 */
export function mapOptions(given: unknown): EspalierOptions {
  // onnxruntime-common hands a proxy to a backend, whose keys are those of the caller's object.
  const options = parseOptions(schema, { ...(given as object) }, 'session options');
  const own = providerOptions(options.executionProviders ?? []);
  for (const key of ['enableProfiling', 'optimizedModelFilePath', 'externalData'] as const) {
    const value = options[key];
    if (Array.isArray(value) ? value.length > 0 : value)
      throw new EspalierError('ERR_ESPALIER_UNSUPPORTED', `Expected no ${key}: ${reasons[key]}`);
  }
  const { preferredOutputLocation: place = 'cpu' } = options;
  const places = typeof place === 'object' && place !== null ? Object.values(place) : [place];
  const elsewhere = places.find((name) => name !== 'cpu' && name !== 'cpu-pinned');
  if (elsewhere !== undefined)
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected outputs on the CPU, got ${String(elsewhere)}`,
    );
  const threadCount = options.intraOpNumThreads || undefined;
  return { ...(threadCount !== undefined && { threads: threadCount }), ...own };
}

const reasons = {
  enableProfiling: 'profile() of a session of "espalier" says how long each step takes',
  optimizedModelFilePath: 'plans are not ONNX models',
  externalData: 'open the model by its path, beside the files of its data',
};

/** What `{ name: 'espalier', ... }` holds besides its name; the session checks it. */
function providerOptions(providers: readonly (string | { readonly name: string })[]): EspalierOptions {
  const named = providers.map((item) => (typeof item === 'string' ? { name: item } : item));
  const here = named.filter(({ name }) => name === 'cpu' || name === 'espalier');
  const others = named.filter((item) => !here.includes(item)).map(({ name }) => `"${name}"`);
  if (others.length > 0 && here.length === 0) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected executionProviders to name "espalier" or "cpu", got ${others.join(', ')}`,
    );
  }
  if (others.length > 0)
    process.emitWarning(
      `execution providers ${others.join(', ')} are not available; running on the CPU`,
      'EspalierWarning',
    );
  const { name, ...own } = named.find((item) => item.name === 'espalier') ?? { name: '' };
  return own;
}
