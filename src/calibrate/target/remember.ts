import type { PruneState } from '../state.js';
import type { Meter } from './meter.js';

/**
 * A meter that gives again what it gave in the run that a state is of, and then measures. A search depends on nothing
 * else that could differ, so it goes the same way and on from there.
 */
export function rememberingMeter(meter: Meter, state: PruneState): Meter {
  let count = 0;
  return {
    steps: (graph) => {
      const index = count++;
      const known = state.measured(index);
      if (typeof known === 'object') return known;
      const steps = meter.steps(graph);
      state.setMeasured(index, steps);
      return steps;
    },
    amount: (graph, quantity) => {
      const index = count++;
      const known = state.measured(index);
      if (typeof known === 'number') return known;
      const amount = meter.amount(graph, quantity);
      state.setMeasured(index, amount);
      return amount;
    },
  };
}

/** The part of a state for one of several prunings of the same layers in a run. */
export function stateOfRound(state: PruneState, round: number): PruneState {
  const nameOf = (weight: string) => `${round} ${weight}`;
  return {
    begin: () => {}, // the run has
    get: (weight) => state.get(nameOf(weight)),
    set: (weight, layer) => state.set(nameOf(weight), layer),
    measured: () => undefined,
    setMeasured: () => {},
  };
}
