import type { LayerRequest } from '../compile/builder.js';
import { predictCost } from '../sparse/cost.js';
import { type ChoiceContext, chooseFormat, type FormatChoice } from '../sparse/format.js';
import { cacheBytes } from '../sparse/rates.js';
import { storageFor, type WeightFormat, type WeightStorage } from '../sparse/weight_formats.js';
import { bucketOf } from './bucket.js';
import type { TimingCache } from './cache.js';
import { decide, rivals } from './decide.js';
import type { MeasureSettings } from './measure.js';

/** Microseconds by format; see {@link measureFormats}. */
export type Measure = (
  request: LayerRequest,
  formats: readonly WeightFormat[],
  settings: MeasureSettings,
) => ReadonlyMap<WeightFormat, number>;

export interface TunerSettings {
  readonly threads: number;
  readonly measure: Measure;
  /** Where timings outlive the process; undefined: nowhere. */
  readonly cache: TimingCache | undefined;
  /** Called after every choice, measured or not. */
  readonly onChoice?: () => void;
}

/** Chooses formats by measuring those that the cost model finds close; each kind of layer once. */
export class Tuner {
  readonly #settings: TunerSettings;
  readonly #known = new Map<string, Readonly<Record<string, number>>>();

  constructor(settings: TunerSettings) {
    this.#settings = settings;
  }

  choose(request: LayerRequest, context: ChoiceContext): FormatChoice {
    const choice = this.#choose(request, context);
    this.#settings.onChoice?.();
    return choice;
  }

  #choose(request: LayerRequest, context: ChoiceContext): FormatChoice {
    const { threads, cache } = this.#settings;
    const choice = chooseFormat(request.analysis, context);
    if (tokens(request) === 0) return choice; // nothing would be timed
    const formats = rivals(choice);
    if (request.analysis.pattern === 'dense' || formats.length === 0) return choice;
    const storage = storageFor(context.storage ?? 'float32', request.analysis);
    const bucket = bucketOf(request, storage, threads);
    const known = this.#known.get(bucket) ?? cache?.get(bucket);
    const complete = known !== undefined && formats.every((format) => known[format] !== undefined);
    const timings = complete
      ? known
      : { ...known, ...this.#time(request, choice, { formats, storage, context }) };
    this.#known.set(bucket, timings);
    if (!complete) cache?.set(bucket, timings);
    const microseconds = (format: WeightFormat) => ((timings[format] ?? 0) * tokens(request)) / 1000;
    return decide(choice, new Map(formats.map((format) => [format, microseconds(format)])), storage);
  }

  /** Nanoseconds for one token, so that layers of a bucket with other numbers of tokens can share them. */
  #time(
    request: LayerRequest,
    { winograd }: FormatChoice,
    {
      formats,
      storage,
      context,
    }: { formats: readonly WeightFormat[]; storage: WeightStorage; context: ChoiceContext },
  ): Record<string, number> {
    const { analysis } = request;
    const { bytes } = predictCost(analysis, 'dense', { ...context, storage });
    const cold = request.n <= 4 && bytes * ((context.modelWeights ?? 0) / analysis.weights) > cacheBytes.L2;
    const measured = this.#settings.measure(request, formats, { storage, cold, winograd });
    return Object.fromEntries(
      [...measured].map(([format, microseconds]) => [format, (microseconds * 1000) / tokens(request)]),
    );
  }
}

const tokens = ({ n, batch }: LayerRequest) => Math.max(1, n * batch);
