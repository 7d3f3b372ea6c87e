/** Arithmetic on 64-bit integers that BigInt has no function for. Results wrap when they are stored. */

export function smallerWide(a: bigint, b: bigint): bigint {
  if (b < a) return b;
  return a;
}

export function largerWide(a: bigint, b: bigint): bigint {
  if (b > a) return b;
  return a;
}

/**
 * a^b modulo 2^64, by squaring: the exact power of a large exponent would not fit in memory. A negative exponent
 * truncates the real power towards zero; 0 to a negative power, undefined in ONNX, is 0.
 */
export function widePower(a: bigint, b: bigint): bigint {
  if (b < 0n) {
    if (a === -1n) return b % 2n === 0n ? 1n : -1n;
    return a === 1n ? 1n : 0n;
  }
  let result = 1n;
  for (let base = a, rest = b; rest > 0n; rest >>= 1n, base = BigInt.asIntN(64, base * base)) {
    if (rest & 1n) result = BigInt.asIntN(64, result * base);
  }
  return result;
}
