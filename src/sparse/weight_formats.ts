/** How the weights of a layer lie in memory; `native/formats` packs them. */
export const weightFormats = ['dense', 'block16', 'block8', 'block4', 'sell', 'ell', 'csr'] as const;

export type WeightFormat = (typeof weightFormats)[number];

/** How each value is stored; csr keeps float32. */
export const weightStorages = ['float32', 'float16'] as const;

export type WeightStorage = (typeof weightStorages)[number];

/** The storage that a format has when `wanted` is asked for. */
export function storageIn(format: WeightFormat, wanted: WeightStorage): WeightStorage {
  return format === 'csr' ? 'float32' : wanted;
}

/** The largest number a float16 holds. */
const largestHalf = 65504;

/**
 * The storage a layer gets when `wanted` is asked for: float16 only when it holds every weight. Its error is at most
 * 2^-11 of a weight, or 2^-25 for weights below 2^-14.
 */
export function storageFor(wanted: WeightStorage, { largest }: { readonly largest: number }): WeightStorage {
  return wanted === 'float16' && largest <= largestHalf ? 'float16' : 'float32';
}
