import { quantile } from './timing.mjs';

/**
 * What can be timed: an EngineProcess or a PeerProcess.
 * @typedef {{ time(milliseconds: number, minRuns: number, warmUp?: number): Promise<Float64Array> }} Timed
 *
 * One round: what ran one after the other, and the median milliseconds of each turn.
 * @typedef {readonly { readonly engine: Timed, readonly p50: number }[]} Round
 *
 * How many times faster an engine is than another.
 * @typedef {object} Ratio
 * @property {number} median over the rounds of the ratio in each round: what is reported
 * @property {number} low quartile of the same
 * @property {number} high quartile of the same
 * @property {number} ofMedians ratio of the medians over all rounds
 */

/** Milliseconds of each engine before the first round. */
const firstTurn = 400;

/**
 * Times engines in the order given, round after round and every second round backwards. A turn is short, so that
 * neighbours in the order run at the speed that the machine has at that moment: on one that is shared with others, speed
 * may halve for seconds, and only what ran within the same fraction of a second can be compared. The first half of a
 * turn is not counted: an engine that begins after another takes tens of milliseconds to reach its speed.
 * @param {readonly Timed[]} order an engine may stand in it more than once
 * @param {{ rounds: number, milliseconds: number, onRound?: () => void }} options `milliseconds` is the time of one
 *   turn, or two runs where these take longer; before the first round each engine runs for as long as its JavaScript
 *   takes to be compiled and its memory to be there
 * @returns {Promise<Round[]>}
 */
export async function timeRounds(order, { rounds, milliseconds, onRound = () => {} }) {
  for (const engine of new Set(order)) await engine.time(firstTurn, 1);
  const half = milliseconds / 2;
  /** @type {Round[]} */
  const counted = [];
  for (let round = 0; round < rounds; round++) {
    const turns = [];
    for (const engine of round % 2 === 0 ? order : [...order].reverse()) {
      turns.push({ engine, p50: quantile(await engine.time(half, 1, half), 0.5) });
    }
    counted.push(turns);
    onRound();
  }
  return counted;
}

/**
 * The subjects with the references between them, so that each subject has every reference as a neighbour.
 * @template T
 * @param {readonly T[]} subjects
 * @param {readonly T[]} references one or two
 * @returns {T[]}
 */
export function interleave(subjects, references) {
  const next = (/** @type {number} */ i) => /** @type {T} */ (references[i % references.length]);
  return [next(0), ...subjects.flatMap((subject, i) => [subject, next(i + 1)])];
}

/** Median milliseconds of one engine's run over these rounds. @param {readonly Round[]} rounds @param {Timed} engine */
export function medianOf(rounds, engine) {
  const times = rounds.flatMap((round) =>
    round.filter((turn) => turn.engine === engine).map(({ p50 }) => p50),
  );
  return quantile(Float64Array.from(times), 0.5);
}

/**
 * How many times faster `subject` is than `reference`, by the turns nearest to each other.
 * @param {readonly Round[]} rounds
 * @param {Timed} subject
 * @param {Timed} reference
 * @returns {Ratio}
 */
export function ratioOf(rounds, subject, reference) {
  const ratios = Float64Array.from(rounds, (round) => ratioInRound(round, subject, reference));
  const [low, median, high] = [0.25, 0.5, 0.75].map((q) => quantile(ratios, q));
  return {
    median: median ?? Number.NaN,
    low: low ?? Number.NaN,
    high: high ?? Number.NaN,
    ofMedians: medianOf(rounds, reference) / medianOf(rounds, subject),
  };
}

/** @param {Round} round @param {Timed} subject @param {Timed} reference */
function ratioInRound(round, subject, reference) {
  const positionsOf = (/** @type {Timed} */ engine) =>
    [...round.keys()].filter((position) => round[position]?.engine === engine);
  const references = positionsOf(reference);
  const ratios = positionsOf(subject).map((position) => {
    const distance = (/** @type {number} */ other) => Math.abs(other - position);
    const nearest = Math.min(...references.map(distance));
    const neighbours = references.filter((other) => distance(other) === nearest);
    const expected = mean(neighbours.map((other) => round[other]?.p50 ?? Number.NaN));
    return expected / (round[position]?.p50 ?? Number.NaN);
  });
  return mean(ratios);
}

/** @param {readonly number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
