import { EspalierError } from '../../errors.js';

/** More positions than this, over all axes of all values, are taken for a model that is none of ours. */
const largestCount = 2 ** 26;

/** Why a position must stay. */
export interface Pin {
  readonly reason: string;
  /** It may still change places with others of its axis. */
  readonly moves: boolean;
  /** It may go when a normalisation over it is corrected, as the embedding width of a transformer. */
  readonly narrows?: boolean;
}

/** How much a pin forbids. */
function strictness({ moves, narrows = false }: Pin): number {
  return moves ? (narrows ? 0 : 1) : 2;
}

/**
 * Every index along every axis of every value, in sets that can only be removed together: a disjoint-set forest with
 * path halving and union by size (R. E. Tarjan, J. van Leeuwen, 1984).
 */
export class Positions {
  /** First position of each axis of a value. */
  readonly #starts = new Map<string, readonly number[]>();
  readonly #parents: Int32Array;
  readonly #sizes: Int32Array;
  readonly #pins = new Map<number, Pin>();
  readonly #heads = new Set<number>();
  readonly #dims: ReadonlyMap<string, readonly number[]>;

  /** @throws EspalierError ERR_ESPALIER_UNSUPPORTED for a graph with more than 2^26 positions */
  constructor(dims: ReadonlyMap<string, readonly number[]>) {
    this.#dims = dims;
    let count = 0;
    for (const [value, own] of dims) {
      this.#starts.set(
        value,
        own.map((dim) => {
          count += dim;
          return count - dim;
        }),
      );
    }
    if (count > largestCount) {
      throw new EspalierError(
        'ERR_ESPALIER_UNSUPPORTED',
        `Expected a graph whose axes add up to at most ${largestCount}, got ${count}`,
      );
    }
    this.#parents = Int32Array.from({ length: count }, (_, i) => i);
    this.#sizes = new Int32Array(count).fill(1);
    for (const [value, own] of dims) {
      for (const [axis, dim] of own.entries())
        if (dim === 1)
          this.pin(this.at(value, axis, 0), { reason: 'it is the only one of its axis', moves: true });
    }
  }

  dims(value: string): readonly number[] {
    return this.#dims.get(value) ?? [];
  }

  has(value: string): boolean {
    return this.#dims.has(value);
  }

  at(value: string, axis: number, index: number): number {
    return (this.#starts.get(value)?.[axis] ?? 0) + index;
  }

  /** How many there are; they are numbered from 0. */
  get count(): number {
    return this.#parents.length;
  }

  /** Positions in the set of which `root` is the root. */
  sizeOf(root: number): number {
    return this.#sizes[root] ?? 0;
  }

  /** The position that stands for the whole set. */
  find(position: number): number {
    const parents = this.#parents;
    let at = position;
    while (parents[at] !== at) {
      parents[at] = parents[parents[at] as number] as number;
      at = parents[at] as number;
    }
    return at;
  }

  unite(a: number, b: number): void {
    let [large, small] = [this.find(a), this.find(b)];
    if (large === small) return;
    const sizes = this.#sizes;
    if ((sizes[large] as number) < (sizes[small] as number)) [large, small] = [small, large];
    this.#parents[small] = large;
    sizes[large] = (sizes[large] as number) + (sizes[small] as number);
    const pin = this.#pins.get(small);
    if (pin !== undefined) this.pin(large, pin);
    if (this.#heads.has(small)) this.#heads.add(large);
  }

  /** Of several pins, the first of those that forbid most is told. */
  pin(position: number, pin: Pin): void {
    const root = this.find(position);
    const known = this.#pins.get(root);
    if (known === undefined || strictness(pin) > strictness(known)) this.#pins.set(root, pin);
  }

  pinOf(position: number): Pin | undefined {
    return this.#pins.get(this.find(position));
  }

  /** Marks a position as one of several that are multiplied separately: an attention head. */
  markHead(position: number): void {
    this.#heads.add(this.find(position));
  }

  isHead(position: number): boolean {
    return this.#heads.has(this.find(position));
  }

  /** Every axis of every value, with the position of its first index. */
  *axes(): Generator<{ value: string; axis: number; size: number; start: number }> {
    for (const [value, dims] of this.#dims) {
      for (const [axis, size] of dims.entries()) yield { value, axis, size, start: this.at(value, axis, 0) };
    }
  }
}
