import type { Layer } from '../graph/layers.js';
import { blockRows, type Pattern } from '../sparse/patterns.js';

/**
 * A mask has one bit per unit of a layer's pattern, 1 when the unit is kept: bit `u % 8` of byte `u / 8`.
 * A unit is a weight (unstructured) or a block of r outputs that share one input. Units are numbered in
 * (group, row block, input) order: `u = (group * rowBlocks + rowBlock) * inputs + input`, where
 * `rowBlocks = ceil(outputs / r)`. Bits past the last unit are 0.
 */
export type Mask = Uint8Array;

/** Number of units of a pattern in a layer. */
export function unitCount(layer: Pick<Layer, 'groups' | 'outputs' | 'inputs'>, pattern: Pattern): number {
  return layer.groups * Math.ceil(layer.outputs / blockRows(pattern)) * layer.inputs;
}

/** Whether unit `unit` is kept. */
export function isKept(mask: Mask, unit: number): boolean {
  return (((mask[unit >> 3] as number) >> (unit & 7)) & 1) === 1;
}

/** The mask of a layer whose unit u was removed where `removed[u]` is 1. */
export function maskOf(removed: Uint8Array): Mask {
  const mask = new Uint8Array(Math.ceil(removed.length / 8));
  for (let unit = 0; unit < removed.length; unit++) {
    if (removed[unit] === 0) mask[unit >> 3] = (mask[unit >> 3] as number) | (1 << (unit & 7));
  }
  return mask;
}

/** Calls `visit(unit, firstRow, rows, input)` for every unit; rows are counted over all groups. */
export function forEachUnit(
  layer: Pick<Layer, 'groups' | 'outputs' | 'inputs'>,
  pattern: Pattern,
  visit: (unit: number, firstRow: number, rows: number, input: number) => void,
): void {
  const height = blockRows(pattern);
  let unit = 0;
  for (let group = 0; group < layer.groups; group++) {
    for (let output = 0; output < layer.outputs; output += height) {
      const firstRow = group * layer.outputs + output;
      const rows = Math.min(height, layer.outputs - output);
      for (let input = 0; input < layer.inputs; input++) visit(unit++, firstRow, rows, input);
    }
  }
}
