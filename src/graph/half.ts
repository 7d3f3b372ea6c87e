/**
 * 16-bit floats as bit patterns: IEEE 754 binary16 and bfloat16, the upper half of a binary32. Rounding is to nearest,
 * ties to even.
 */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export function toFloat16(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00; // half way to the first power of two that does not fit
  const exponent = magnitude < 2 ** -14 ? -14 : Math.floor(Math.log2(Math.fround(magnitude)));
  const steps = roundHalfToEven(magnitude / 2 ** (exponent - 10)); // 1024 to 2048, below that denormal
  // A carry out of the fraction moves into the exponent by plain addition.
  return sign | (((exponent + 14) << 10) + steps);
}

export function fromBfloat16(half: number): number {
  bits[0] = half << 16;
  return float[0] ?? 0;
}

export function toBfloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  float[0] = value;
  const word = bits[0] ?? 0;
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Rounds to the nearest integer, ties to even, as ONNX's Round does. */
export function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest < 0.5) return floor === 0 && value < 0 ? -0 : floor;
  if (rest > 0.5) return floor + 1 === 0 ? -0 : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1 === 0 ? -0 : floor + 1;
}
