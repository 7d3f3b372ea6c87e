import type { coordinateModes } from './resize.js';

export const nearestModes = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'] as const;

export type CoordinateMode = Exclude<(typeof coordinateModes)[number], 'tf_crop_and_resize'>;
export type NearestMode = (typeof nearestModes)[number];

/**
 * The input coordinate under output coordinate `i`. Operations round to float32 where onnxruntime's do: nearest would
 * else pick the other neighbour where a coordinate is a whole number but for rounding.
 */
export function inputPosition(
  i: number,
  size: number,
  wanted: number,
  ratio: number,
  mode: CoordinateMode,
): number {
  const f = Math.fround;
  const scale = f(ratio);
  const center = f(f((i + 0.5) / scale) - 0.5);
  switch (mode) {
    case 'asymmetric':
      return i / ratio;
    case 'align_corners':
      return wanted === 1 ? 0 : f((i * (size - 1)) / (wanted - 1));
    case 'pytorch_half_pixel':
      return wanted === 1 ? 0 : center;
    case 'tf_half_pixel_for_nn':
      return f((i + 0.5) / scale);
    case 'half_pixel_symmetric': {
      const adjustment = f(wanted / f(scale * size));
      return f(f((size / 2) * f(1 - adjustment)) + (i + 0.5) / scale - 0.5);
    }
    case 'half_pixel':
      return center;
  }
}

/** The input position that is read for a coordinate. */
export function nearestPosition(coordinate: number, size: number, mode: NearestMode): number {
  const whole = {
    floor: Math.floor(coordinate),
    ceil: Math.ceil(Math.fround(coordinate)), // 7 / 0.7 is 10 in float32
    round_prefer_floor: Math.ceil(coordinate - 0.5),
    round_prefer_ceil: Math.floor(coordinate + 0.5),
  }[mode];
  return Math.min(Math.max(whole, 0), size - 1);
}
