/**
 * native/addon/linalg.cc: each works on threads of its own, and its arrays must not be touched until the promise settles.
 * Matrices are row-major. What comes out does not depend on `isa` nor on `threads`. Promises reject with EspalierError.
 */
export interface NativeLinalg {
  /** product[xCols, yCols] += x^T y, of x[rows, xCols] and y[rows, yCols]; the lower triangle alone where y is x. */
  addCrossProduct(task: CrossProductTask): Promise<void>;
  /** product[rows, cols] += a b^T, of a[rows, depth] and b[cols, depth]. */
  addOuterProduct(task: ProductTask<Float32Array>): Promise<void>;
  /** product[rows, cols] += a[rows, depth] b[depth, cols]. */
  addProduct(task: ProductTask<Float64Array>): Promise<void>;
  /** SparseGPT: prunes and updates `weights`, and marks what was removed. ERR_ESPALIER_ARGUMENT: `gram` is not positive definite. */
  pruneSparseGpt(task: MaskTask): Promise<void>;
  /** ADMM: marks what to remove; `weights` stay. ERR_ESPALIER_ARGUMENT as above. */
  chooseByAdmm(task: MaskTask): Promise<void>;
  /** weights_S = (gram_SS + ridge)^-1 target_S for the kept inputs S of each row. ERR_ESPALIER_ARGUMENT as above. */
  refitWeights(task: RefitTask): Promise<void>;
}

interface Resources {
  readonly isa: string;
  readonly threads: number;
}

export interface CrossProductTask extends Resources {
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly product: Float64Array;
  readonly rows: number;
  readonly xCols: number;
  readonly yCols: number;
}

export interface ProductTask<Elements> extends Resources {
  readonly a: Elements;
  readonly b: Elements;
  readonly product: Float64Array;
  readonly rows: number;
  readonly depth: number;
  readonly cols: number;
}

export interface MaskTask extends Resources {
  readonly weights: Float64Array;
  /** [cols, cols], symmetric: the Hessian, and what is added to its diagonal. Worked in, and the same in the end. */
  readonly gram: Float64Array;
  readonly damping: number;
  readonly rows: number;
  readonly cols: number;
  /** A unit is unitRows x unitCols weights; for N:M one weight, and `kept` of every `of` stay (else both are 0). */
  readonly unitRows: number;
  readonly unitCols: number;
  readonly kept: number;
  readonly of: number;
  readonly removals: number;
  /** One byte per unit, written: 1 = removed. */
  readonly removed: Uint8Array;
}

export interface RefitTask extends Resources {
  /** [cols, cols], symmetric; worked in, and the same in the end. */
  readonly gram: Float64Array;
  /** Is added to its diagonal. */
  readonly ridge: number;
  readonly target: Float64Array;
  /** One byte per weight: 0 = removed. */
  readonly kept: Uint8Array;
  /** Written. */
  readonly weights: Float64Array;
  readonly rows: number;
  readonly cols: number;
}
