import type { SolvedLayer } from './solve.js';

/** Keeps what a long run has finished, for one that is interrupted to go on. */
export interface PruneState {
  /** Says what the run depends on, before anything else; a state of another run is refused. */
  begin(key: string): void | Promise<void>;
  /** What is known of a layer, by the name of its weight. */
  get(weight: string): SolvedLayer | undefined;
  set(weight: string, layer: SolvedLayer): void | Promise<void>;
}
