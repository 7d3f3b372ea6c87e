import type { FormatChoice } from '../sparse/format.js';
import { storageIn, type WeightFormat, type WeightStorage } from '../sparse/weight_formats.js';

/** Candidates predicted to take at most this many times the best one's time are worth measuring. */
const worthMeasuring = 1.6;
/** A format that the model did not choose has to be measured this much faster: noise should not decide. */
const gainOverChosen = 0.05;
/** A sparse format has to be measured this much faster than dense. */
const gainOverDense = 0.03;

/** The formats to measure for a layer, dense among them; none when there is nothing to decide. */
export function rivals({ candidates }: FormatChoice): WeightFormat[] {
  const best = candidates[0]?.predictedMicroseconds ?? 0;
  const close = candidates.filter(
    ({ format, predictedMicroseconds }) =>
      format === 'dense' || predictedMicroseconds <= best * worthMeasuring,
  );
  return close.length < 2 ? [] : close.map(({ format }) => format);
}

/**
 * The choice once its rivals have been measured.
 * @param measured microseconds
 * @param wanted how the layer's values are stored where the format can
 */
export function decide(
  choice: FormatChoice,
  measured: ReadonlyMap<WeightFormat, number>,
  wanted: WeightStorage = choice.storage,
): FormatChoice {
  const timeOf = (format: WeightFormat) => measured.get(format) ?? Number.POSITIVE_INFINITY;
  const candidates = choice.candidates.map((candidate) => {
    const measuredMicroseconds = measured.get(candidate.format);
    return measuredMicroseconds === undefined ? candidate : { ...candidate, measuredMicroseconds };
  });
  const fastest = [...measured].reduce((a, b) => (b[1] < a[1] ? b : a))[0];
  const better = timeOf(fastest) <= timeOf(choice.format) * (1 - gainOverChosen) ? fastest : choice.format;
  const pays = better === 'dense' || timeOf(better) <= timeOf('dense') * (1 - gainOverDense);
  const format = pays ? better : 'dense';
  const percent = `${((timeOf(format) / timeOf('dense')) * 100).toFixed(1)} %`;
  const reason =
    format === 'dense' ? 'measured: no sparse format is faster' : `measured: takes ${percent} of dense`;
  return { ...choice, format, storage: storageIn(format, wanted), reason, candidates };
}
