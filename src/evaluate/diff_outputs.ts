import { type Elements, readElements } from '../graph/data.js';
import type { DataType, Tensor, TensorMap } from '../tensor.js';
import { type Difference, difference } from './difference.js';

/** What comparing runs of a model needs of a session. */
export interface RunsModel {
  runSync(feeds: TensorMap): Readonly<Record<string, Tensor>>;
}

/** An output of two models for the same feeds. */
export interface OutputDiff {
  readonly name: string;
  readonly type: DataType | null;
  readonly dims: readonly number[] | null;
  /** Null where one model has no such output, or it has other dims. */
  readonly difference: Difference | null;
}

/** Runs both models on the same feeds and compares each output that either has. */
export function diffOutputs(a: RunsModel, b: RunsModel, feeds: TensorMap): OutputDiff[] {
  const [ours, theirs] = [a.runSync(feeds), b.runSync(feeds)];
  return [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].map((name) => {
    const [x, y] = [ours[name], theirs[name]];
    const comparable = x !== undefined && y !== undefined && String(x.dims) === String(y.dims);
    const shown = x ?? y;
    return {
      name,
      type: shown?.type ?? null,
      dims: shown?.dims ?? null,
      difference: comparable ? difference(elementsOf(x), elementsOf(y)) : null,
    };
  });
}

function elementsOf({ type, dims, data }: Tensor): Elements {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return readElements({ type, dims, bytes });
}
