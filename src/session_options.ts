import * as v from 'valibot';
import { optionsObject, parseOptions, progressCallback, wholeNumber } from './options.js';
import { type WeightStorage, weightStorages } from './sparse/weight_formats.js';

/** Instruction sets a build can hold; `auto` takes the fastest this CPU has. */
export const isaNames = ['auto', 'scalar', 'avx2', 'avx512', 'neon'] as const;
export type Isa = (typeof isaNames)[number];

/** `off`: formats by the cost model; `load`: by measurement, when a plan is made. */
export const tuneModes = ['off', 'load'] as const;
export type TuneMode = (typeof tuneModes)[number];

export interface SessionOptions {
  /** Threads that run the model, the calling one included. Default: the CPUs this process may use. */
  readonly threads?: number;
  /** Default: the environment variable ESPALIER_ISA, else `auto`. */
  readonly isa?: Isa;
  /**
   * Microseconds that helper threads stay awake after a run: the next run within that time starts sooner, and their
   * CPUs are busy meanwhile. Default: 0.
   */
  readonly spin?: number;
  /** Whether formats of weights are measured on this machine when a plan is made. Default: off. */
  readonly tune?: TuneMode;
  /** Whether measurements are kept in the user's cache folder. Default: unless ESPALIER_CACHE is `off`. */
  readonly tuneCache?: boolean;
  /** Called while layers are measured, with the share that is done, in [0, 1]. */
  readonly onTune?: (share: number) => void;
  /**
   * How weights are stored. `float16` halves what is read: values are rounded to the nearest half, which changes each by
   * at most 2^-11 of itself (2^-25 where it is below 2^-14); a layer with a weight beyond 65504 stays float32. Arithmetic
   * is float32 in both. Default: float32, or what a compiled model was compiled with.
   */
  readonly weightStorage?: WeightStorage;
  /**
   * Whether a compiled model of more than 4 MiB is mapped: pages are read when they are needed and shared with other
   * processes. `false` reads the file to memory of the process's own. Default: true.
   */
  readonly mapFile?: boolean;
}

const schema = optionsObject({
  threads: v.optional(wholeNumber(1, 256)),
  isa: v.optional(v.picklist(isaNames, `one of ${isaNames.join(', ')}`)),
  spin: v.optional(wholeNumber(0, 1_000_000)),
  tune: v.optional(v.picklist(tuneModes, `one of ${tuneModes.join(', ')}`)),
  tuneCache: v.optional(v.boolean('a boolean')),
  onTune: v.optional(progressCallback),
  weightStorage: v.optional(v.picklist(weightStorages, `one of ${weightStorages.join(', ')}`)),
  mapFile: v.optional(v.boolean('a boolean')),
});

/** @throws EspalierError ERR_ESPALIER_ARGUMENT when an option is unknown or out of range. */
export function parseSessionOptions(options: unknown): SessionOptions {
  return parseOptions(schema, options, 'InferenceSession options') as SessionOptions;
}
