import { elementCount } from '../../tensor.js';
import type { Window } from '../operators/window.js';
import type { Words } from './definition.js';

/**
 * What a window sees at each place: x [batch, channels, spatial...] -> [batch, channels, place, tap, place, tap, ...],
 * one pair of axes for each spatial axis. Two constant indices along an axis are one strided copy when compiled.
 * @param fill value of the padding
 */
export function unfold(w: Words, x: string, window: Window, fill: number): string {
  const { kernel, strides, dilations, padsBegin, outputs } = window;
  const spatial = w.dims(x).slice(2);
  // Padding may be more than the last window needs, and in ceil mode less.
  const reach = outputs.map(
    (count, axis) =>
      (count - 1) * (strides[axis] ?? 1) + ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1,
  );
  const after = reach.map((end, axis) => Math.max(0, end - (spatial[axis] ?? 0) - (padsBegin[axis] ?? 0)));
  let padded = x;
  if ([...padsBegin, ...after].some((count) => count > 0)) {
    const pads = [0, 0, ...padsBegin, 0, 0, ...after];
    padded = w.op('Pad', [x, w.list(pads), w.scalar(fill, x)]);
  }
  kernel.forEach((taps, axis) => {
    const count = outputs[axis] ?? 1;
    const places = Array.from(
      { length: count * taps },
      (_, i) => Math.floor(i / taps) * (strides[axis] ?? 1) + (i % taps) * (dilations[axis] ?? 1),
    );
    padded = w.gather(padded, w.constant('int64', [count, taps], places), 2 + 2 * axis);
  });
  return padded;
}

/** [batch, channels, place, tap, place, tap, ...] -> [batch, channels, places..., taps of all axes]. */
export function tapsLast(w: Words, unfolded: string): string {
  const dims = w.dims(unfolded);
  const spatial = (dims.length - 2) / 2;
  const axes = [...Array(spatial).keys()];
  const moved = w.transpose(unfolded, [0, 1, ...axes.map((i) => 2 + 2 * i), ...axes.map((i) => 3 + 2 * i)]);
  const places = axes.map((i) => dims[2 + 2 * i] ?? 1);
  const taps = elementCount(axes.map((i) => dims[3 + 2 * i] ?? 1));
  return w.reshape(moved, [dims[0] ?? 0, dims[1] ?? 0, ...places, taps]);
}
