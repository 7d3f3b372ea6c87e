interface TapOptions {
  readonly mode: 'linear' | 'cubic';
  /** How many times wider than one element the filter is: more than 1 to smooth what is made smaller. */
  readonly spread: number;
  /** Coefficient of the cubic. */
  readonly a: number;
  /** Elements outside the input weigh nothing; else the border stands in for them. Weights add up to 1 either way. */
  readonly excludeOutside: boolean;
}

/** Elements that are mixed at a coordinate of an axis of `size` elements, and how much each weighs. */
export function tapsOf(
  coordinate: number,
  size: number,
  { mode, spread, a, excludeOutside }: TapOptions,
): { readonly place: number; readonly weight: number }[] {
  const filter = mode === 'linear' ? triangle : (distance: number) => cubic(distance, a);
  const reach = (mode === 'linear' ? 1 : 2) * spread;
  const first = Math.ceil(coordinate - reach);
  const taps = Array.from({ length: Math.floor(coordinate + reach) - first + 1 }, (_, i) => {
    const place = first + i;
    const isOutside = place < 0 || place >= size;
    const weight = excludeOutside && isOutside ? 0 : filter(Math.abs(place - coordinate) / spread);
    return { place: Math.min(Math.max(place, 0), size - 1), weight };
  });
  const total = taps.reduce((sum, { weight }) => sum + weight, 0);
  return taps.map(({ place, weight }) => ({ place, weight: weight / total }));
}

const triangle = (distance: number) => Math.max(0, 1 - distance);

/** Keys' interpolation kernel (Keys 1981, IEEE Trans. ASSP 29). */
function cubic(distance: number, a: number): number {
  if (distance >= 2) return 0;
  if (distance >= 1) return a * (((distance - 5) * distance + 8) * distance - 4);
  return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
}
