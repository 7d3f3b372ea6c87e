import type { Pattern } from './patterns.js';

/** Sides of the blocks that {@link StructureCounter} looks for. */
const blockHeights = [1, 2, 4, 8, 16] as const;
const blockWidths = [1, 2, 4, 8, 16] as const;

/** The N:M patterns it looks for, strictest first. */
const groupPatterns = [
  { pattern: '1:4', kept: 1, of: 4 },
  { pattern: '2:4', kept: 2, of: 4 },
  { pattern: '4:8', kept: 4, of: 8 },
] as const;

/**
 * A block pattern counts as found when its kept blocks hold at most this share of zeros beside their weights, and at
 * most this share of the zeros that chance would leave there: in a layer of few zeros every block is nearly full.
 */
const zerosShare = 0.1;

/**
 * Watches the non-zero weights of a layer go by, 16 outputs at a time, and says in which pattern they lie. A mask has
 * bit r set where output r of the 16 has a non-zero weight.
 */
export class StructureCounter {
  /** Weights in the blocks that are not wholly zero, [width][height]. */
  readonly #stored = new Float64Array(blockHeights.length * blockWidths.length);
  readonly #wide = new Uint16Array(blockWidths.length); // masks of the block under way, ORed, by width
  readonly #atLeast = new Uint16Array(6); // rows with at least i non-zero weights in the group under way
  readonly #group8 = new Uint16Array(6);
  readonly #broken = [false, false, false]; // groupPatterns that some group exceeds
  #input = 0;
  #rows = 16;

  /** From here on, masks are of these outputs: 16, or fewer at the end of a group. */
  beginRows(rows: number): void {
    this.#rows = rows;
  }

  /** The mask of the next input. */
  add(mask: number): void {
    const wide = this.#wide;
    for (let w = 0; w < wide.length; w++) wide[w] = (wide[w] as number) | mask;
    this.#input++;
    for (let w = 0, width = 1; w < wide.length && (this.#input & (width - 1)) === 0; w++, width *= 2)
      this.#endBlock(w, width);
    if (!this.#broken[0] || !this.#broken[1]) {
      raise(this.#atLeast, mask, 3);
      if ((this.#input & 3) === 0) this.#endGroupOf4();
    }
    if (!this.#broken[2]) {
      raise(this.#group8, mask, 5);
      if ((this.#input & 7) === 0) this.#endGroupOf8();
    }
  }

  /** The last input of these 16 outputs has been added. */
  endRows(): void {
    for (let w = 0, width = 1; w < this.#wide.length; w++, width *= 2)
      this.#endBlock(w, this.#input & (width - 1));
    this.#endGroupOf4();
    this.#endGroupOf8();
    this.#input = 0;
  }

  /**
   * The pattern of the zeros, or `dense` when there are none to speak of.
   * @param nonZeros non-zero weights of the layer, of `weights` in all
   */
  pattern(nonZeros: number, weights: number): Pattern | 'dense' {
    const density = nonZeros / weights;
    if (density > 0.98) return 'dense';
    if (nonZeros === 0) return 'unstructured';
    const group = groupPatterns.find(
      ({ kept, of }, i) => !this.#broken[i] && density > 0.75 * (kept / of) && density <= (kept / of) * 1.1,
    );
    if (group !== undefined) return group.pattern;
    let best = { area: 1, pattern: 'unstructured' as Pattern };
    blockWidths.forEach((columns, w) => {
      blockHeights.forEach((rows, h) => {
        const area = rows * columns;
        const stored = this.#stored[w * blockHeights.length + h] as number;
        const byChance = (1 - (1 - density) ** area) / density;
        const found = stored / nonZeros - 1 <= zerosShare * Math.min(1, byChance - 1);
        if (found && area > best.area) best = { area, pattern: `${rows}x${columns}` };
      });
    });
    return best.pattern;
  }

  /** @param columns inputs of the block: fewer than its width at the end of a row */
  #endBlock(w: number, columns: number): void {
    const mask = this.#wide[w] as number;
    if (mask === 0) return;
    this.#wide[w] = 0;
    const at = w * blockHeights.length;
    let used = mask;
    for (let h = 0, height = 1; h < blockHeights.length; h++, height *= 2) {
      const whole = this.#rows & -height; // rows in blocks of full height
      const weights =
        bitCount(used & ((1 << whole) - 1)) * height + ((used >>> whole) & 1) * (this.#rows - whole);
      this.#stored[at + h] = (this.#stored[at + h] as number) + weights * columns;
      used = (used | (used >>> height)) & (firstOfEvery[h] as number);
    }
  }

  #endGroupOf4(): void {
    if (this.#atLeast[2] !== 0) this.#broken[0] = true;
    if (this.#atLeast[3] !== 0) this.#broken[1] = true;
    this.#atLeast.fill(0);
  }

  #endGroupOf8(): void {
    if (this.#group8[5] !== 0) this.#broken[2] = true;
    this.#group8.fill(0);
  }
}

/** Bits that stand for a block of twice the height 1, 2, 4, 8, 16: every 2nd, 4th, 8th, 16th bit. */
const firstOfEvery = [0x5555, 0x1111, 0x0101, 0x0001, 0x0001];

/** One more non-zero weight for the rows of `mask`: those with at least i become those with at least i + 1. */
function raise(atLeast: Uint16Array, mask: number, most: number): void {
  for (let i = most; i > 1; i--) atLeast[i] = (atLeast[i] as number) | ((atLeast[i - 1] as number) & mask);
  atLeast[1] = (atLeast[1] as number) | mask;
}

/** The number of ones in 16 bits. */
function bitCount(bits: number): number {
  let count = bits - ((bits >>> 1) & 0x5555);
  count = (count & 0x3333) + ((count >>> 2) & 0x3333);
  count = (count + (count >>> 4)) & 0x0f0f;
  return (count + (count >>> 8)) & 0x1f;
}
