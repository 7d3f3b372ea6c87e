/**
 * Flags the `k` lowest of `scores` in (score, index) order: exactly k ones, ties going to the lower index.
 * Selection, not sorting: linear time on average. Scores hold no NaN; k is in [0, scores.length].
 */
export function flagLowest(scores: Float64Array, k: number): Uint8Array {
  const flags = new Uint8Array(scores.length);
  if (k === 0) return flags;
  const threshold = kthLowest(scores, k);
  let flagged = 0;
  for (let i = 0; i < scores.length; i++) {
    if ((scores[i] as number) < threshold) {
      flags[i] = 1;
      flagged++;
    }
  }
  for (let i = 0; flagged < k; i++) {
    if (scores[i] === threshold) {
      flags[i] = 1;
      flagged++;
    }
  }
  return flags;
}

/**
 * Flags all but the `kept` highest of every `of` consecutive scores of a row, ties going to the lower index. Rows have
 * `inputs` scores; what is left at the end of a row is a shorter group that keeps as many.
 */
export function flagLowestOfEvery(
  scores: Float64Array,
  inputs: number,
  of: number,
  kept: number,
): Uint8Array {
  const flags = new Uint8Array(scores.length);
  for (let row = 0; row < scores.length; row += inputs) {
    for (let first = row; first < row + inputs; first += of) {
      const end = Math.min(first + of, row + inputs);
      for (let removals = end - first - kept; removals > 0; removals--) {
        let lowest = -1;
        for (let at = first; at < end; at++) {
          if (flags[at] === 1) continue;
          if (lowest < 0 || (scores[at] as number) < (scores[lowest] as number)) lowest = at;
        }
        flags[lowest] = 1;
      }
    }
  }
  return flags;
}

/** Flags round(sparsity * units) lowest scores of every `units` consecutive ones, but never all of them. */
export function flagLowestOfRows(scores: Float64Array, units: number, sparsity: number): Uint8Array {
  const flags = new Uint8Array(scores.length);
  const k = Math.min(Math.round(sparsity * units), units - 1);
  for (let row = 0; row < scores.length; row += units)
    flags.set(flagLowest(scores.subarray(row, row + units), k), row);
  return flags;
}

/** The k-th lowest score, k in [1, scores.length]: C. A. R. Hoare, "Algorithm 65: Find", 1961, with random pivots. */
function kthLowest(scores: Float64Array, k: number): number {
  const values = scores.slice();
  const target = k - 1;
  let low = 0;
  let high = values.length - 1;
  let seed = 1;
  while (low < high) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; // fixed seed: deterministic, yet no input is built to defeat it
    const pivot = values[low + Math.floor((seed / 2 ** 32) * (high - low + 1))] as number;
    let left = low;
    let right = high;
    while (left <= right) {
      while ((values[left] as number) < pivot) left++;
      while ((values[right] as number) > pivot) right--;
      if (left <= right) {
        const swapped = values[left] as number;
        values[left++] = values[right] as number;
        values[right--] = swapped;
      }
    }
    if (target <= right) high = right;
    else if (target >= left) low = left;
    else break;
  }
  return values[target] as number;
}
