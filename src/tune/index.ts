import type { NativeAddon } from '../native/addon.js';
import type { SessionOptions } from '../session_options.js';
import { cacheFolder, TimingCache } from './cache.js';
import { measureFormats } from './measure.js';
import { Tuner } from './tuner.js';

/** A tuner for one session: it measures in native sessions of its own, which leave nothing behind. */
export function makeTuner(settings: {
  readonly addon: NativeAddon;
  readonly isa: string;
  readonly threads: number;
  /** Layers of the model, for the share of them that is done. */
  readonly layers: number;
  readonly options: SessionOptions;
}): Tuner {
  const { addon, isa, threads, layers, options } = settings;
  const folder = options.tuneCache === false ? undefined : cacheFolder();
  const cache = folder === undefined ? undefined : new TimingCache(folder, isa);
  let asked = 0;
  return new Tuner({
    threads,
    cache,
    onChoice: () => {
      asked++;
      if (asked <= layers) options.onTune?.(asked / layers); // a plan for other shapes comes here again
    },
    measure: (request, formats, settings) => {
      const native = new addon.NativeSession(isa, threads, options.spin ?? 0);
      try {
        return measureFormats(native, request, formats, settings);
      } finally {
        native.release();
      }
    },
  });
}
