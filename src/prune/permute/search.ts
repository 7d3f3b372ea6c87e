import type { Objective } from './objective.js';

/** Three times as many pairs add a few hundredths to what the fixture networks gain. */
const rounds = 24;
const candidates = 8;

/**
 * An order of `units` units that the layers keep more with: from the one that is, pairs change places as long as that
 * gains. In every round each unit is offered several places, chosen by a fixed sequence, and takes the best. Returns
 * the unit at each slot; the same for the same layers.
 */
export function searchOrder(units: number, objectives: readonly Objective[]): number[] {
  const order = Array.from({ length: units }, (_, unit) => unit);
  let state = 1;
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < rounds; round++) {
    let swaps = 0;
    for (const objective of objectives) objective.refresh();
    for (let slot = 0; slot < units; slot++) {
      let [best, place] = [1e-9, -1];
      for (let candidate = 0; candidate < candidates; candidate++) {
        const other = next(units);
        const moving = objectives.filter((objective) => !objective.isTogether(slot, other));
        const gain = moving.reduce((sum, objective) => sum + objective.gain(slot, other), 0);
        if (gain > best) [best, place] = [gain, other];
      }
      if (place < 0) continue;
      for (const objective of objectives) objective.swap(slot, place);
      [order[slot], order[place]] = [order[place] as number, order[slot] as number];
      swaps++;
    }
    if (swaps === 0) break;
  }
  return order;
}
