/** How far two lists of values lie apart. */
export interface Difference {
  /** Largest |a - b|; Infinity where only one is a number, or one is infinite. */
  readonly max: number;
  /** `max` over the largest |a| of finite values; 0 for equal values. */
  readonly relative: number;
  /** Share of the elements that differ. */
  readonly share: number;
}

/** Compares values of the same number; NaN equals NaN. 64-bit integers are compared exactly, and told in doubles. */
export function difference(a: ArrayLike<number | bigint>, b: ArrayLike<number | bigint>): Difference {
  let max = 0;
  let largest = 0;
  let differing = 0;
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number | bigint, b[i] as number | bigint];
    const magnitude = Math.abs(Number(x));
    if (Number.isFinite(magnitude)) largest = Math.max(largest, magnitude);
    if (x === y || (Number.isNaN(Number(x)) && Number.isNaN(Number(y)))) continue;
    const both = typeof x === 'bigint' && typeof y === 'bigint';
    const distance = Math.abs(both ? Number(x - y) : Number(x) - Number(y));
    if (distance === 0) continue; // an integer and the same float
    differing++;
    max = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : Math.max(max, distance);
  }
  const relative = max === 0 ? 0 : max / largest;
  return { max, relative, share: a.length === 0 ? 0 : differing / a.length };
}
