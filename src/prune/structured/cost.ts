import { isFloat } from '../../graph/data.js';
import type { Graph } from '../../graph/graph.js';
import { type Analysis, analyze, type Shapes } from './analyze.js';
import { findFactors } from './factors.js';
import type { StructuredGroup } from './groups.js';

/** What a network holds and does. */
export interface Cost {
  /** Elements of all float constants. */
  readonly parameters: number;
  /** Multiply-adds of all convolutions and products in one run. */
  readonly multiplyAdds: number;
}

/** An axis whose size falls by `perUnit` for every unit that a group loses. */
interface Size {
  readonly full: number;
  readonly losses: readonly (readonly [group: number, perUnit: number])[];
}

/** A product of sizes. */
type Term = readonly Size[];

/**
 * What a graph costs when units are gone: exact, and quick enough to be asked for every candidate, as only sizes are
 * multiplied.
 */
export class CostModel {
  readonly #parameters: Term[];
  readonly #multiplyAdds: Term[];

  constructor({ graph, dims }: Analysis, groups: readonly StructuredGroup[]) {
    const losses = new Map<string, [group: number, perUnit: number][]>();
    for (const [g, { axes }] of groups.entries()) {
      for (const { value, axis, perUnit } of axes) {
        const key = `${axis} ${value}`;
        losses.set(key, [...(losses.get(key) ?? []), [g, perUnit]]);
      }
    }
    const size = (value: string, axis: number): Size => ({
      full: dims.get(value)?.[axis] ?? 1,
      losses: losses.get(`${axis} ${value}`) ?? [],
    });
    const all = (value: string) => (dims.get(value) ?? []).map((_, axis) => size(value, axis));
    const used = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
    this.#parameters = [...graph.constants]
      .filter(([name, { type }]) => used.has(name) && isFloat(type))
      .map(([name]) => all(name));
    const weighted = new Map(findFactors(graph).map((factor) => [factor.node.name, factor]));
    this.#multiplyAdds = graph.nodes.flatMap((node): Term[] => {
      const [x = '', w = ''] = node.inputs;
      const [y = ''] = node.outputs;
      const factor = weighted.get(node.name);
      if (factor !== undefined && node.op === 'Conv') return [[...all(y), ...all(w).slice(1)]];
      if (factor !== undefined && node.op === 'ConvTranspose') return [[...all(x), ...all(w).slice(1)]];
      if (factor !== undefined) return [[...all(y), size(factor.weight, factor.inputAxis)]];
      const rank = dims.get(x)?.length ?? 0;
      return node.op === 'MatMul' && rank > 0 ? [[...all(y), size(x, rank - 1)]] : [];
    });
  }

  /** @param removed units that each group loses */
  of(removed: readonly number[]): Cost {
    const total = (terms: readonly Term[]) =>
      terms.reduce(
        (sum, term) =>
          sum +
          term.reduce(
            (product, { full, losses }) =>
              product *
              losses.reduce((left, [group, perUnit]) => left - perUnit * (removed[group] ?? 0), full),
            1,
          ),
        0,
      );
    return { parameters: total(this.#parameters), multiplyAdds: total(this.#multiplyAdds) };
  }
}

/**
 * What a graph costs as it is.
 * @param shapes dims of inputs that the model leaves open
 * @throws EspalierError what {@link findGroups} throws
 */
export function costOf(graph: Graph, shapes: Shapes = {}): Cost {
  return new CostModel(analyze(graph, shapes), []).of([]);
}
