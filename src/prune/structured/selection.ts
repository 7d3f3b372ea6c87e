import type { StructuredGroup } from './groups.js';

/**
 * What stays of every value: for each axis that changes, the old indices in their new order; nothing for those that
 * stay as they are.
 */
export class Selection {
  readonly #dims: ReadonlyMap<string, readonly number[]>;
  readonly #kept = new Map<string, Map<number, Int32Array>>();

  /**
   * @param dims dims of every value before
   * @param orders for each group that changes, the units that stay, in their new order. The units that go leave their
   *   places; the others fill the places that are left, in order, along every axis of the group alike.
   */
  constructor(
    dims: ReadonlyMap<string, readonly number[]>,
    orders: ReadonlyMap<StructuredGroup, readonly number[]>,
  ) {
    this.#dims = dims;
    for (const [group, order] of orders) this.#choose(group, order);
    for (const axes of this.#kept.values())
      for (const [axis, indices] of axes)
        axes.set(
          axis,
          indices.filter((index) => index >= 0),
        );
  }

  #choose({ axes, units }: StructuredGroup, order: readonly number[]): void {
    const places = [...order].sort((a, b) => a - b);
    const target = new Map(places.map((place, i) => [place, order[i] ?? place]));
    for (const { value, axis, perUnit, indices } of axes) {
      const own = this.#axis(value, axis);
      for (let unit = 0; unit < units; unit++) {
        const source = target.get(unit);
        for (let k = 0; k < perUnit; k++) {
          const place = indices[unit * perUnit + k] ?? 0;
          own[place] = source === undefined ? -1 : (indices[source * perUnit + k] ?? 0);
        }
      }
    }
  }

  #axis(value: string, axis: number): Int32Array {
    const axes = this.#kept.get(value) ?? new Map<number, Int32Array>();
    this.#kept.set(value, axes);
    const own =
      axes.get(axis) ?? Int32Array.from({ length: this.#dims.get(value)?.[axis] ?? 0 }, (_, i) => i);
    axes.set(axis, own);
    return own;
  }

  /** Names of the values of which an axis changes. */
  get changed(): Iterable<string> {
    return this.#kept.keys();
  }

  /** Old indices in their new order, by axis; undefined for a value that stays as it is. */
  axesOf(value: string): ReadonlyMap<number, Int32Array> | undefined {
    return this.#kept.get(value);
  }

  /** Old indices of an axis in their new order. */
  kept(value: string, axis: number): Int32Array {
    const known = this.#kept.get(value)?.get(axis);
    return known ?? Int32Array.from({ length: this.#dims.get(value)?.[axis] ?? 0 }, (_, i) => i);
  }

  isChanged(value: string, axis: number): boolean {
    return this.#kept.get(value)?.has(axis) === true;
  }

  oldDims(value: string): readonly number[] {
    return this.#dims.get(value) ?? [];
  }

  newDims(value: string): readonly number[] {
    const axes = this.#kept.get(value);
    return this.oldDims(value).map((dim, axis) => axes?.get(axis)?.length ?? dim);
  }
}
