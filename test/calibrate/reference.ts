// Algorithms as their papers write them, in float64 and without blocks or native code: what ours is compared with.

export type Matrix = number[][];

/** X^T X / rows, of rows [rows, inputs]. */
export function hessian(x: Float32Array, inputs: number): Matrix {
  const rows = x.length / inputs;
  return Array.from({ length: inputs }, (_, i) =>
    Array.from({ length: inputs }, (_, j) => {
      let sum = 0;
      for (let row = 0; row < rows; row++)
        sum += (x[row * inputs + i] as number) * (x[row * inputs + j] as number);
      return sum / rows;
    }),
  );
}

/** Gauss and Jordan's inverse, with pivots. */
export function inverse(matrix: Matrix): Matrix {
  const n = matrix.length;
  const work = matrix.map((row, i) => [...row, ...Array.from({ length: n }, (_, j) => (i === j ? 1 : 0))]);
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k; i < n; i++) if (Math.abs(work[i]?.[k] ?? 0) > Math.abs(work[pivot]?.[k] ?? 0)) pivot = i;
    [work[k], work[pivot]] = [work[pivot] as number[], work[k] as number[]];
    const row = work[k] as number[];
    const scale = row[k] as number;
    for (let j = 0; j < 2 * n; j++) row[j] = (row[j] as number) / scale;
    for (const [i, other] of work.entries()) {
      const factor = other[k] as number;
      if (i === k || factor === 0) continue;
      for (let j = 0; j < 2 * n; j++) other[j] = (other[j] as number) - factor * (row[j] as number);
    }
  }
  return work.map((row) => row.slice(n));
}

/** U with U^T U = matrix, upper triangular. */
export function upperCholesky(matrix: Matrix): Matrix {
  const n = matrix.length;
  const lower: Matrix = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i]?.[j] as number;
      for (let k = 0; k < j; k++) sum -= (lower[i]?.[k] as number) * (lower[j]?.[k] as number);
      (lower[i] as number[])[j] = i === j ? Math.sqrt(sum) : sum / (lower[j]?.[j] as number);
    }
  }
  return lower.map((_, i) => lower.map((row) => row[i] as number));
}

/** What is removed of one block of columns: gets saliencies [rows, columns] and says which go. */
export type Choose = (saliencies: Matrix) => boolean[][];

/**
 * SparseGPT (arXiv 2301.00774, Algorithm 1) with column blocks of 128 and a damping of one percent; `choose` sees the
 * saliencies w^2 / U_jj^2 of `width` columns at a time, at the moment when the first of them is reached.
 */
export function sparseGpt(weights: Matrix, h: Matrix, width: number, choose: Choose): Matrix {
  const n = h.length;
  const damping = (0.01 * h.reduce((sum, row, i) => sum + (row[i] as number), 0)) / n;
  const u = upperCholesky(inverse(h.map((row, i) => row.map((value, j) => value + (i === j ? damping : 0)))));
  const w = weights.map((row) => [...row]);
  let removed: boolean[][] = [];
  for (let col = 0; col < n; col++) {
    if (col % width === 0) {
      const columns = Array.from({ length: Math.min(width, n - col) }, (_, i) => col + i);
      removed = choose(w.map((row) => columns.map((j) => ((row[j] as number) / (u[j]?.[j] as number)) ** 2)));
    }
    for (const [r, row] of w.entries()) {
      if (removed[r]?.[col % width] !== true) continue;
      const error = (row[col] as number) / (u[col]?.[col] as number);
      for (let j = col; j < n; j++) row[j] = (row[j] as number) - error * (u[col]?.[j] as number);
      row[col] = 0;
    }
  }
  return w;
}

/** The lowest `share` of all entries, ties to the earlier: `rows` outputs of a column go together. */
export function lowestShare(share: number, rows = 1): Choose {
  return (saliencies) => {
    const columns = saliencies[0]?.length ?? 0;
    const units = Array.from({ length: Math.ceil(saliencies.length / rows) * columns }, (_, unit) => {
      const first = Math.floor(unit / columns) * rows;
      const members = saliencies.slice(first, first + rows);
      return { unit, score: members.reduce((sum, row) => sum + (row[unit % columns] as number), 0) };
    });
    const gone = new Set(
      units
        .sort((a, b) => a.score - b.score || a.unit - b.unit)
        .slice(0, Math.round(share * units.length))
        .map(({ unit }) => unit),
    );
    return saliencies.map((row, r) => row.map((_, c) => gone.has(Math.floor(r / rows) * columns + c)));
  };
}

/** All but the `kept` highest of each row. */
export function keepHighest(kept: number): Choose {
  return (saliencies) =>
    saliencies.map((row) => {
      const order = row.map((_, i) => i).sort((a, b) => (row[a] as number) - (row[b] as number) || a - b);
      const gone = new Set(order.slice(0, Math.max(0, row.length - kept)));
      return row.map((_, i) => gone.has(i));
    });
}

/** Solves matrix x = b. */
export function solve(matrix: Matrix, b: readonly number[]): number[] {
  return inverse(matrix).map((row) => row.reduce((sum, value, i) => sum + value * (b[i] as number), 0));
}

/**
 * Which weights ADMM removes (arXiv 2401.02938): 20 iterations with a penalty of 1 on inputs of norm 1, the sparsity growing
 * by the cubic over the first 15. `h` has its damping.
 */
export function admmMask(
  weights: Matrix,
  h: Matrix,
  choose: (share: number) => Choose,
  share: number,
): boolean[][] {
  const scales = h.map((row, i) => Math.sqrt(row[i] as number));
  const scaled = h.map((row, i) =>
    row.map((value, j) => value / (scales[i] as number) / (scales[j] as number)),
  );
  const solver = inverse(scaled.map((row, i) => row.map((value, j) => value + (i === j ? 1 : 0))));
  const times = (row: readonly number[], matrix: Matrix) =>
    matrix.map((_, j) => row.reduce((sum, value, i) => sum + value * (matrix[i]?.[j] as number), 0));
  let v = weights.map((row) => row.map((value, j) => value * (scales[j] as number)));
  const target = v.map((row) => times(row, scaled));
  let dual = v.map((row) => row.map(() => 0));
  let removed: boolean[][] = [];
  for (let t = 1; t <= 20; t++) {
    const sum = v.map((row, r) => row.map((value, j) => value + (dual[r]?.[j] as number)));
    const grown = share * (1 - (1 - Math.min(1, t / 15)) ** 3);
    removed = choose(grown)(sum.map((row) => row.map((value) => value * value)));
    const kept = sum.map((row, r) => row.map((value, j) => (removed[r]?.[j] ? 0 : value)));
    dual = sum.map((row, r) => row.map((value, j) => value - (kept[r]?.[j] as number)));
    v = target.map((row, r) =>
      times(
        row.map((value, j) => value + (kept[r]?.[j] as number) - (dual[r]?.[j] as number)),
        solver,
      ),
    );
  }
  return removed;
}
