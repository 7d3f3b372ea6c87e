/** What an order of a group's units is worth to one layer, and what two units that change places would change. */
export interface Objective {
  /** What the layer would keep more of, in a measure of its own, if the units at two slots changed places. */
  readonly gain: (slotA: number, slotB: number) => number;
  readonly swap: (slotA: number, slotB: number) => void;
  /** Whether two slots lie in one block, so that a swap changes nothing. */
  readonly isTogether: (slotA: number, slotB: number) => boolean;
  /** Called before every round of swaps. */
  readonly refresh: () => void;
}

/**
 * Blocks of `height` outputs by one input: outputs that want the same inputs belong into one block. A block counts with
 * what its sum exceeds `threshold` by, the sum at which blocks are removed: then what is kept grows with the total.
 */
export class RowBlocks implements Objective {
  readonly #scores: Float32Array | Float64Array; // [outputs, inputs]
  readonly #inputs: number;
  readonly #height: number;
  readonly #rows: Int32Array;
  readonly #sparsity: number;
  #threshold = 0;
  readonly #sums: Float64Array; // [blocks, inputs]
  /** Row whose scores lie at a slot now. */
  readonly #at: Int32Array;

  /** @param rows row of each slot; `scores` is [outputs, inputs] */
  constructor(
    scores: Float32Array | Float64Array,
    inputs: number,
    height: number,
    rows: Int32Array,
    sparsity: number,
  ) {
    this.#scores = scores;
    this.#inputs = inputs;
    this.#height = height;
    this.#rows = rows;
    this.#at = rows.slice();
    const outputs = scores.length / inputs;
    this.#sums = new Float64Array(Math.ceil(outputs / height) * inputs);
    for (let row = 0; row < outputs; row++) {
      const base = Math.floor(row / height) * inputs;
      for (let i = 0; i < inputs; i++)
        this.#sums[base + i] = (this.#sums[base + i] as number) + (scores[row * inputs + i] as number);
    }
    this.#sparsity = sparsity;
    this.refresh();
  }

  refresh(): void {
    const sorted = this.#sums.slice().sort();
    this.#threshold = sorted[
      Math.min(sorted.length - 1, Math.round(this.#sparsity * sorted.length))
    ] as number;
  }

  isTogether(slotA: number, slotB: number): boolean {
    return this.#block(slotA) === this.#block(slotB);
  }

  gain(slotA: number, slotB: number): number {
    const [scores, sums, threshold, inputs] = [this.#scores, this.#sums, this.#threshold, this.#inputs];
    const [baseA, baseB] = [this.#block(slotA) * inputs, this.#block(slotB) * inputs];
    const [rowA, rowB] = [(this.#at[slotA] as number) * inputs, (this.#at[slotB] as number) * inputs];
    let gain = 0;
    for (let i = 0; i < inputs; i++) {
      const moved = (scores[rowB + i] as number) - (scores[rowA + i] as number);
      const a = (sums[baseA + i] as number) - threshold;
      const b = (sums[baseB + i] as number) - threshold;
      gain += Math.max(a + moved, 0) + Math.max(b - moved, 0) - Math.max(a, 0) - Math.max(b, 0);
    }
    return gain;
  }

  swap(slotA: number, slotB: number): void {
    const [scores, sums, inputs, at] = [this.#scores, this.#sums, this.#inputs, this.#at];
    const [baseA, baseB] = [this.#block(slotA) * inputs, this.#block(slotB) * inputs];
    const [rowA, rowB] = [at[slotA] as number, at[slotB] as number];
    for (let i = 0; i < inputs; i++) {
      const moved = (scores[rowB * inputs + i] as number) - (scores[rowA * inputs + i] as number);
      sums[baseA + i] = (sums[baseA + i] as number) + moved;
      sums[baseB + i] = (sums[baseB + i] as number) - moved;
    }
    [at[slotA], at[slotB]] = [rowB, rowA];
  }

  #block(slot: number): number {
    return Math.floor((this.#rows[slot] as number) / this.#height);
  }
}

/**
 * N of every M consecutive inputs: inputs that matter to the same outputs belong into different groups of M (J. Pool,
 * C. Yu, "Channel permutations for N:M sparsity", 2021).
 */
export class InputGroups implements Objective {
  readonly #scores: Float32Array | Float64Array; // [outputs, inputs]
  readonly #inputs: number;
  readonly #taps: number;
  readonly #channels: Int32Array;
  readonly #kept: number;
  readonly #of: number;
  /** Input whose scores lie at a place now. */
  readonly #at: Int32Array;

  /** @param channels channel of each slot, of `taps` consecutive inputs */
  constructor(
    scores: Float32Array | Float64Array,
    inputs: number,
    taps: number,
    { kept, of }: { readonly kept: number; readonly of: number },
    channels: Int32Array,
  ) {
    this.#scores = scores;
    this.#inputs = inputs;
    this.#taps = taps;
    this.#kept = kept;
    this.#of = of;
    this.#channels = channels;
    this.#at = Int32Array.from({ length: inputs }, (_, i) => i);
  }

  refresh(): void {}

  isTogether(slotA: number, slotB: number): boolean {
    return this.#groups(slotA).join() === this.#groups(slotB).join() && this.#groups(slotA).length === 1;
  }

  gain(slotA: number, slotB: number): number {
    const groups = [...new Set([...this.#groups(slotA), ...this.#groups(slotB)])];
    const before = this.#keptIn(groups);
    this.swap(slotA, slotB);
    const after = this.#keptIn(groups);
    this.swap(slotA, slotB);
    return after - before;
  }

  swap(slotA: number, slotB: number): void {
    const [a, b] = [slotA, slotB].map((slot) => (this.#channels[slot] as number) * this.#taps) as [
      number,
      number,
    ];
    for (let tap = 0; tap < this.#taps; tap++) {
      const [left, right] = [this.#at[a + tap] as number, this.#at[b + tap] as number];
      [this.#at[a + tap], this.#at[b + tap]] = [right, left];
    }
  }

  /** Groups of M that the inputs of a slot lie in. */
  #groups(slot: number): number[] {
    const first = (this.#channels[slot] as number) * this.#taps;
    const [from, to] = [first, first + this.#taps - 1].map((input) => Math.floor(input / this.#of)) as [
      number,
      number,
    ];
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  }

  #keptIn(groups: readonly number[]): number {
    const best = new Float64Array(this.#kept); // highest first
    let total = 0;
    for (let row = 0; row < this.#scores.length; row += this.#inputs) {
      for (const group of groups) {
        best.fill(0);
        const end = Math.min((group + 1) * this.#of, this.#inputs);
        for (let place = group * this.#of; place < end; place++) {
          let score = this.#scores[row + (this.#at[place] as number)] as number;
          for (let rank = 0; rank < best.length; rank++) {
            const held = best[rank] as number;
            if (score > held) [best[rank], score] = [score, held];
          }
        }
        for (const score of best) total += score;
      }
    }
    return total;
  }
}
