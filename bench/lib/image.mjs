/** @import { BenchModel } from './models.mjs' */

/** 1 well inside an edge at 0, 0 well outside, smooth over `width`. @param {number} distance @param {number} width */
const soft = (distance, width) => 1 / (1 + Math.exp(distance / width));

/** A number in [0, 1) that looks random and depends on n alone. @param {number} n */
const hash = (n) => Math.abs(Math.sin(12.9898 * (n + 1)) * 43758.5453) % 1;

/**
 * Darkness of a row of made-up letters at (x, y): the box of each holds two uprights and two crossbars at most.
 * @param {number} x @param {number} y both in letters: letter n spans n..n+1, its height 0..1
 */
function ink(x, y) {
  const letter = Math.floor(x);
  const along = x - letter;
  if (y < 0 || y > 1 || letter < 0 || hash(letter) < 0.15) return 0;
  const distances = [Math.abs(along - 0.25)];
  if (hash(letter + 50) < 0.7) distances.push(Math.abs(along - 0.75));
  for (const bar of [0.1, 0.5, 0.9]) {
    if (hash(letter + 100 * bar) < 0.6)
      distances.push(Math.max(Math.abs(y - bar), Math.abs(along - 0.5) - 0.25));
  }
  return soft(Math.min(...distances) - 0.09, 0.02);
}

/** How wide a letter with its gap is, in heights of a letter. */
const pitch = 0.6;

/**
 * Brightness of a drawn scene at (x, y), both in [0, 1), for colour channel c: a gradient, a disc with two dark spots,
 * a slanted bar, a sign with letters, and a fine texture. Smooth, as a photograph is and noise is not. In a picture
 * that is a strip, as text recognition takes, the sign is all there is.
 * @param {number} x @param {number} y @param {number} c @param {number} variant
 * @param {number} aspect width / height of the picture
 */
function brightness(x, y, c, variant, aspect) {
  const shift = 0.07 * variant;
  let value = 0.35 + 0.3 * x + 0.2 * y - 0.1 * c;
  const disc = soft(Math.hypot(x - 0.35 - shift, y - 0.3) - 0.22, 0.01);
  value += (0.75 - 0.15 * c - value) * disc;
  for (const eye of [0.28, 0.42]) value -= 0.5 * soft(Math.hypot(x - eye - shift, y - 0.24) - 0.03, 0.005);
  value += (0.1 + 0.1 * c - value) * soft(Math.abs(0.5 * x - y + 0.35) - 0.015, 0.004);
  const [middle, half] = aspect > 2.5 ? [0.5, 0.45] : [0.76, 0.12];
  const sign = soft(Math.max(Math.abs(x - 0.5) - 0.45, Math.abs(y - middle) - half), 0.005);
  const height = 1.2 * half;
  const letters = ink(((x - 0.09) * aspect) / (pitch * height), (y - middle) / height + 0.5);
  value += (0.95 - 0.9 * letters - value) * sign;
  return value + 0.03 * Math.sin(61 * x + 2 * c) * Math.sin(53 * y + variant);
}

/**
 * A deterministic synthetic picture for a model: one scene per image of the batch.
 * @param {Pick<BenchModel, 'layout' | 'range' | 'alpha'>} model
 * @param {readonly number[]} dims [batch, channels, height, width] or [batch, height, width, channels]
 */
export function makeImage({ layout, range: [black, white], alpha = 1 }, dims) {
  const [batch = 1, ...rest] = dims;
  const [channels = 1, height = 1, width = 1] =
    layout === 'nchw' ? rest : [rest[2] ?? 1, rest[0] ?? 1, rest[1] ?? 1];
  const data = new Float32Array(batch * channels * height * width);
  const [channelStride, pixelStride] = layout === 'nchw' ? [height * width, 1] : [1, channels];
  for (let n = 0; n < batch; n++) {
    for (let pixel = 0; pixel < height * width; pixel++) {
      const x = (pixel % width) / width;
      const y = Math.floor(pixel / width) / height;
      const at = n * channels * height * width + pixel * pixelStride;
      for (let c = 0; c < channels; c++) {
        const value = Math.min(1, Math.max(0, brightness(x, y, c, n, width / height)));
        data[at + c * channelStride] = c === 3 ? alpha : black + (white - black) * value;
      }
    }
  }
  return { data, dims };
}
