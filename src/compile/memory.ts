import { byteCount } from '../graph/data.js';
import type { StepDraft, ValueType } from './builder.js';

/** Bytes of the arena that one value holds from its first to its last step. */
interface Lifetime {
  readonly value: string;
  readonly bytes: number;
  first: number;
  last: number;
}

export interface ArenaPlan {
  /** Byte offset of each value. */
  readonly offsets: ReadonlyMap<string, number>;
  readonly bytes: number;
}

const alignment = 64;

/**
 * Places values in one arena so that those alive at the same time do not overlap: largest first, each at the lowest
 * offset that is free for all of its life (greedy by size, Pisarchyk & Lee 2020, arXiv 2001.03288).
 * @param values the values that live in the arena
 */
export function planArena(steps: readonly StepDraft[], values: ReadonlyMap<string, ValueType>): ArenaPlan {
  const lifetimes = new Map<string, Lifetime>();
  steps.forEach((step, index) => {
    for (const { value } of [...step.inputs, ...step.outputs]) {
      const type = values.get(value);
      if (type === undefined) continue;
      const lifetime = lifetimes.get(value);
      if (lifetime !== undefined) lifetime.last = index;
      else lifetimes.set(value, { value, bytes: byteCount(type.type, type.dims), first: index, last: index });
    }
  });

  const placed: { readonly lifetime: Lifetime; readonly offset: number }[] = [];
  const offsets = new Map<string, number>();
  let bytes = 0;
  const bySize = [...lifetimes.values()].sort((a, b) => b.bytes - a.bytes || a.first - b.first);
  for (const lifetime of bySize) {
    const others = placed
      .filter(({ lifetime: other }) => other.first <= lifetime.last && lifetime.first <= other.last)
      .sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const other of others) {
      if (offset + lifetime.bytes <= other.offset) break;
      offset = Math.max(offset, roundUp(other.offset + other.lifetime.bytes));
    }
    placed.push({ lifetime, offset });
    offsets.set(lifetime.value, offset);
    bytes = Math.max(bytes, offset + lifetime.bytes);
  }
  return { offsets, bytes: roundUp(bytes) };
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
