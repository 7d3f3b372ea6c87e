import type { Layer } from '../graph/layers.js';
import { blockOf, type Pattern } from '../sparse/patterns.js';

/**
 * A mask has one bit per unit of a layer's pattern, 1 when the unit is kept: bit `u % 8` of byte `u / 8`.
 * A unit is a weight (unstructured, N:M) or a block of r outputs by c inputs. Units are numbered in (group, row block,
 * column block) order: `u = (group * rowBlocks + rowBlock) * columnBlocks + columnBlock`, where
 * `rowBlocks = ceil(outputs / r)` and `columnBlocks = ceil(inputs / c)`. Bits past the last unit are 0.
 */
export type Mask = Uint8Array;

/** Number of units of a pattern in a layer. */
export function unitCount(layer: Pick<Layer, 'groups' | 'outputs' | 'inputs'>, pattern: Pattern): number {
  const { rows, columns } = blockOf(pattern);
  return layer.groups * Math.ceil(layer.outputs / rows) * Math.ceil(layer.inputs / columns);
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

/** Calls `visit(unit, firstRow, rows, firstInput, inputs)` for every unit; rows are counted over all groups. */
export function forEachUnit(
  layer: Pick<Layer, 'groups' | 'outputs' | 'inputs'>,
  pattern: Pattern,
  visit: (unit: number, firstRow: number, rows: number, firstInput: number, inputs: number) => void,
): void {
  const { rows: height, columns: width } = blockOf(pattern);
  let unit = 0;
  for (let group = 0; group < layer.groups; group++) {
    for (let output = 0; output < layer.outputs; output += height) {
      const firstRow = group * layer.outputs + output;
      const rows = Math.min(height, layer.outputs - output);
      for (let input = 0; input < layer.inputs; input += width)
        visit(unit++, firstRow, rows, input, Math.min(width, layer.inputs - input));
    }
  }
}
