import type { SolvedLayer } from './solve.js';
import type { TimedStep } from './target/meter.js';

/** What a meter gave: the times of a network's steps, or one number of the whole. */
export type Measurement = readonly TimedStep[] | number;

/** Keeps what a long run has finished, for one that is interrupted to go on. */
export interface PruneState {
  /** Says what the run depends on, before anything else; a state of another run is refused. */
  begin(key: string): void | Promise<void>;
  /** What is known of a layer, by the name of its weight. */
  get(weight: string): SolvedLayer | undefined;
  set(weight: string, layer: SolvedLayer): void | Promise<void>;
  /** What a measurement on the way to a target gave, by its number: from 0, in the order in which they are made. */
  measured(index: number): Measurement | undefined;
  setMeasured(index: number, measurement: Measurement): void;
}
