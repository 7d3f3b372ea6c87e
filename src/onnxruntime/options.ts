import * as v from 'valibot';
import { EspalierError } from '../errors.js';
import { optionsObject, parseOptions } from '../options.js';
import type { SessionOptions as EspalierOptions } from '../session_options.js';

/** Options of onnxruntime-common's sessions; which of them espalier uses is said at each. */
export interface SessionOptions {
  /**
   * Names, or objects with a name. `cpu` and `espalier` are here; others are passed over with a warning when one of
   * these two is named as well. `{ name: 'espalier', ... }` takes espalier's own session options.
   */
  readonly executionProviders?: readonly (string | { readonly name: string })[];
  /** Threads of a run; 0 and the default are the CPUs of the process. */
  readonly intraOpNumThreads?: number;
  /** Not used: steps run in order, each on all threads. */
  readonly interOpNumThreads?: number;
  readonly executionMode?: 'sequential' | 'parallel';
  /** Not used: shapes are fixed when the first feeds of these shapes come. */
  readonly freeDimensionOverrides?: Readonly<Record<string, number>>;
  /** Not used: a plan is always fused. */
  readonly graphOptimizationLevel?: 'disabled' | 'basic' | 'extended' | 'layout' | 'all';
  /** Not used: a plan has one arena, laid out beforehand. */
  readonly enableCpuMemArena?: boolean;
  readonly enableMemPattern?: boolean;
  /** Not used: nothing is logged. */
  readonly logId?: string;
  readonly logSeverityLevel?: 0 | 1 | 2 | 3 | 4;
  readonly logVerbosityLevel?: number;
  /** Not used: it is for GPUs. */
  readonly enableGraphCapture?: boolean;
  /** Not used: the entries are onnxruntime's own. */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** `cpu`, for all outputs or by name; other places are refused. */
  readonly preferredOutputLocation?: string | Readonly<Record<string, string>>;
  /** Refused when true: `profile` of espalier's own session says how long each step takes. */
  readonly enableProfiling?: boolean;
  readonly profileFilePrefix?: string;
  /** Refused: plans are not ONNX models. */
  readonly optimizedModelFilePath?: string;
  /** Refused: a model with external data is opened by its path, beside its files. */
  readonly externalData?: readonly unknown[];
}

const any = v.optional(v.unknown());
const provider = v.union(
  [v.string(), v.looseObject({ name: v.string() })],
  'a name, or an object with a name',
);

const schema = optionsObject({
  executionProviders: v.optional(v.array(provider, 'an array of execution providers')),
  intraOpNumThreads: v.optional(
    v.pipe(
      v.number('a number'),
      v.integer('an integer'),
      v.minValue(0, 'at least 0'),
      v.maxValue(256, 'at most 256'),
    ),
  ),
  interOpNumThreads: any,
  executionMode: any,
  freeDimensionOverrides: any,
  graphOptimizationLevel: v.optional(
    v.picklist(
      ['disabled', 'basic', 'extended', 'layout', 'all'],
      'one of disabled, basic, extended, layout, all',
    ),
  ),
  enableCpuMemArena: any,
  enableMemPattern: any,
  logId: any,
  logSeverityLevel: any,
  logVerbosityLevel: any,
  enableGraphCapture: any,
  extra: any,
  preferredOutputLocation: any,
  enableProfiling: any,
  profileFilePrefix: any,
  optimizedModelFilePath: any,
  externalData: any,
});

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
    const asked = Array.isArray(value) ? value.length > 0 : Boolean(value);
    if (asked) throw new EspalierError('ERR_ESPALIER_UNSUPPORTED', `Expected no ${key}: ${reasons[key]}`);
  }
  const { preferredOutputLocation: place = 'cpu' } = options;
  const places = typeof place === 'object' && place !== null ? Object.values(place) : [place];
  const elsewhere = places.find((name) => name !== 'cpu' && name !== 'cpu-pinned');
  if (elsewhere !== undefined)
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected outputs on the CPU, got ${String(elsewhere)}`,
    );
  const threads = options.intraOpNumThreads || undefined;
  return { ...(threads !== undefined && { threads }), ...own };
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
