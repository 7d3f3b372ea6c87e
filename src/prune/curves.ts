/** What a layer costs or takes at a sparsity. */
export interface CurvePoint {
  readonly sparsity: number;
  readonly value: number;
}

/** The value at a sparsity, linear between points in ascending order; beyond the first and the last the nearest holds. */
export function valueAt(curve: readonly CurvePoint[], sparsity: number): number {
  const after = curve.findIndex((point) => point.sparsity >= sparsity);
  const [before, next] = [curve[after - 1], curve[after]];
  if (next === undefined) return curve.at(-1)?.value ?? 0;
  if (before === undefined) return next.value;
  const share = (sparsity - before.sparsity) / (next.sparsity - before.sparsity);
  return before.value + share * (next.value - before.value);
}

/** A sparsity that a layer could have: what that gains, and what it costs. */
export interface Choice {
  readonly sparsity: number;
  readonly gain: number;
  readonly cost: number;
}

/**
 * The sparsity of each layer such that the gains add up to `wanted` at the least sum of costs: of all steps from one
 * choice of a layer to the next, those that cost least for what they gain are taken first, the last one in part. So the
 * marginal cost is the same everywhere. Where choices are not convex their lower hull is followed, for what lies above
 * it costs more than a mix of its neighbours. Ties go to the earlier layer.
 * @param layers the choices of each, the first being what it has at least; those that gain nothing are passed over
 */
export function cheapestChoices(layers: readonly (readonly Choice[])[], wanted: number): number[] {
  const steps = layers.flatMap((choices, layer) => {
    const hull = lowerHull(choices);
    return hull.slice(1).map((to, i) => {
      const from = hull[i] as Choice;
      return { layer, from, to, price: (to.cost - from.cost) / (to.gain - from.gain) };
    });
  });
  steps.sort((a, b) => a.price - b.price || a.layer - b.layer || a.from.gain - b.from.gain);
  const sparsities = layers.map(([first]) => first?.sparsity ?? 0);
  let missing = wanted - layers.reduce((sum, [first]) => sum + (first?.gain ?? 0), 0);
  for (const { layer, from, to } of steps) {
    if (missing <= 0) break;
    const share = Math.min(1, missing / (to.gain - from.gain));
    sparsities[layer] = from.sparsity + share * (to.sparsity - from.sparsity);
    missing -= share * (to.gain - from.gain);
  }
  return sparsities;
}

/** The choices below which no mix of others lies, by rising gain: A. M. Andrew's monotone chain, 1979. */
function lowerHull(choices: readonly Choice[]): Choice[] {
  const [first, ...rest] = choices;
  if (first === undefined) return [];
  const hull = [first];
  const rising = rest.filter(({ gain }) => gain > first.gain);
  for (const next of rising.sort((a, b) => a.gain - b.gain || a.cost - b.cost)) {
    if (next.gain === hull.at(-1)?.gain) continue;
    for (let last = hull.at(-1), before = hull.at(-2); last !== undefined && before !== undefined; ) {
      const left = (last.cost - before.cost) * (next.gain - last.gain);
      if (left < (next.cost - last.cost) * (last.gain - before.gain)) break;
      hull.pop();
      [last, before] = [hull.at(-1), hull.at(-2)];
    }
    hull.push(next);
  }
  return hull;
}
