import type { Node } from '../../graph/graph.js';
import type { Positions } from './positions.js';

/** An axis of a value as a product of factors: numbers of factors, outermost first. */
interface FactoredAxis {
  readonly value: string;
  readonly axis: number;
  readonly factors: readonly number[];
}

/** Axes before and after a reshape that hold the same elements, as products of common factors. */
export interface Regrouping {
  readonly node: Node;
  readonly sizes: readonly number[];
  readonly axes: readonly FactoredAxis[];
}

/**
 * Links what a reshape keeps as it is; what it splits or joins comes back as regroupings, to be resolved when all else
 * is known. Axes that do not even have common factors are pinned.
 */
export function linkReshape(node: Node, x: string, y: string, positions: Positions): Regrouping[] {
  const from = wideAxes(x, positions.dims(x));
  const to = wideAxes(y, positions.dims(y));
  const result: Regrouping[] = [];
  for (let i = 0, k = 0; i < from.length && k < to.length; ) {
    const [left, right] = [[from[i++] as Axis], [to[k++] as Axis]];
    for (let [a, b] = [product(left), product(right)]; a !== b; [a, b] = [product(left), product(right)]) {
      const next = a < b ? from[i++] : to[k++];
      if (next === undefined) break;
      (a < b ? left : right).push(next);
    }
    if (left.length === 1 && right.length === 1) linkEqual(left[0] as Axis, right[0] as Axis, positions);
    else {
      const regrouping = factor(node, left, right);
      if (regrouping === undefined) pinAxes(node, [...left, ...right], 'regroups it', positions);
      else result.push(regrouping);
    }
  }
  return result;
}

/**
 * Decides what regrouped axes still let go. Of the factors of an axis one can be removed by itself, as heads can or the
 * channels of a flattened image; the others stay whole. That is a factor nothing else pins: one of attention heads
 * first, else the largest. Where only one is left the choice is clear and may clear others, so these come first.
 */
export function resolveRegroupings(regroupings: readonly Regrouping[], positions: Positions): void {
  const open = new Set(regroupings);
  while (open.size > 0) {
    let chosen: { regrouping: Regrouping; factor: number | undefined } | undefined;
    for (const regrouping of open) {
      const free = regrouping.sizes.map((_, f) => f).filter((f) => isFree(regrouping, f, positions));
      const head = free.find((f) => isHead(regrouping, f, positions));
      if (free.length <= 1 || head !== undefined) {
        chosen = { regrouping, factor: head ?? free[0] };
        break;
      }
      const largest = free.reduce((a, b) =>
        (regrouping.sizes[b] ?? 0) > (regrouping.sizes[a] ?? 0) ? b : a,
      );
      chosen ??= { regrouping, factor: largest };
    }
    if (chosen === undefined) return;
    open.delete(chosen.regrouping);
    apply(chosen.regrouping, chosen.factor, positions);
  }
}

function apply({ node, sizes, axes }: Regrouping, factor: number | undefined, positions: Positions): void {
  let anchor: FactoredAxis | undefined;
  for (const own of axes) {
    if (factor === undefined || !own.factors.includes(factor)) {
      pinAxes(node, [own], 'keeps it whole', positions);
      continue;
    }
    anchor ??= own;
    const total = own.factors.reduce((count, f) => count * (sizes[f] ?? 1), 1);
    for (let index = 0; index < total; index++) {
      const at = firstOf(anchor, digit(own, index, factor, sizes), factor, sizes);
      positions.unite(positions.at(own.value, own.axis, index), positions.at(anchor.value, anchor.axis, at));
    }
  }
}

/** The index along one factor of an index along the axis. */
function digit(own: FactoredAxis, index: number, factor: number, sizes: readonly number[]): number {
  return Math.floor(index / strideOf(own, factor, sizes)) % (sizes[factor] ?? 1);
}

/** The first index of an axis with this index along one factor. */
function firstOf(own: FactoredAxis, index: number, factor: number, sizes: readonly number[]): number {
  return index * strideOf(own, factor, sizes);
}

function strideOf(own: FactoredAxis, factor: number, sizes: readonly number[]): number {
  const inner = own.factors.slice(own.factors.indexOf(factor) + 1);
  return inner.reduce((count, f) => count * (sizes[f] ?? 1), 1);
}

function isFree({ axes }: Regrouping, factor: number, positions: Positions): boolean {
  return axes.every(({ value, axis, factors }) => {
    if (!factors.includes(factor)) return true;
    const size = positions.dims(value)[axis] ?? 0;
    for (let i = 0; i < size; i++)
      if (positions.pinOf(positions.at(value, axis, i)) !== undefined) return false;
    return true;
  });
}

function isHead({ axes }: Regrouping, factor: number, positions: Positions): boolean {
  return axes.some(
    ({ value, axis, factors }) =>
      factors.length === 1 && factors[0] === factor && positions.isHead(positions.at(value, axis, 0)),
  );
}

interface Axis {
  readonly value: string;
  readonly axis: number;
  readonly size: number;
}

/** Axes of more than one element: the others can stand anywhere. */
function wideAxes(value: string, dims: readonly number[]): Axis[] {
  return dims.flatMap((size, axis) => (size === 1 ? [] : [{ value, axis, size }]));
}

function product(axes: readonly Axis[]): number {
  return axes.reduce((count, { size }) => count * size, 1);
}

function linkEqual(a: Axis, b: Axis, positions: Positions): void {
  for (let i = 0; i < a.size; i++)
    positions.unite(positions.at(a.value, a.axis, i), positions.at(b.value, b.axis, i));
}

/** The common factors of two lists of axes of equal product: what lies between neighbouring boundaries of either. */
function factor(node: Node, left: readonly Axis[], right: readonly Axis[]): Regrouping | undefined {
  if (product(left) !== product(right)) return undefined;
  const ends = (axes: readonly Axis[]) => axes.map((_, i) => product(axes.slice(i + 1)));
  const boundaries = [...new Set([...ends(left), ...ends(right)])].sort((a, b) => b - a);
  const sizes: number[] = [];
  let outer = product(left);
  for (const boundary of boundaries) {
    if (outer % boundary !== 0) return undefined;
    sizes.push(outer / boundary);
    outer = boundary;
  }
  const factored = (axes: readonly Axis[]) => {
    let next = 0;
    return axes.map(({ value, axis }, i): FactoredAxis => {
      const end = boundaries.indexOf(product(axes.slice(i + 1))) + 1;
      const factors = Array.from({ length: end - next }, (_, k) => next + k);
      next = end;
      return { value, axis, factors };
    });
  };
  return { node, sizes, axes: [...factored(left), ...factored(right)] };
}

function pinAxes(
  { op, name }: Node,
  axes: readonly Pick<Axis, 'value' | 'axis'>[],
  why: string,
  positions: Positions,
): void {
  const pin = { reason: `${op} "${name}" ${why}`, moves: false };
  for (const { value, axis } of axes) {
    const size = positions.dims(value)[axis] ?? 0;
    for (let i = 0; i < size; i++) positions.pin(positions.at(value, axis, i), pin);
  }
}
