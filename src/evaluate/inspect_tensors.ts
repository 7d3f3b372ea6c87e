import { readElements } from '../graph/data.js';
import type { TensorData } from '../graph/graph.js';
import { type DataType, elementCount } from '../tensor.js';

/** What a file of tensors holds. Plain data. */
export interface TensorsReport {
  readonly count: number;
  readonly elements: number;
  readonly bytes: number;
  readonly tensors: readonly TensorReport[];
}

export interface TensorReport {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly elements: number;
  readonly bytes: number;
  readonly zeros: number;
  /** zeros / elements; 0 for none. */
  readonly sparsity: number;
}

export function inspectTensors(tensors: ReadonlyMap<string, TensorData>): TensorsReport {
  const reports = [...tensors].map(([name, tensor]): TensorReport => {
    const { type, dims, bytes } = tensor;
    const [elements, zeros] = [elementCount(dims), countZeros(tensor)];
    const sparsity = elements === 0 ? 0 : zeros / elements;
    return { name, type, dims, elements, bytes: bytes.byteLength, zeros, sparsity };
  });
  const sum = (pick: (report: TensorReport) => number) =>
    reports.reduce((total, report) => total + pick(report), 0);
  return {
    count: reports.length,
    elements: sum(({ elements }) => elements),
    bytes: sum(({ bytes }) => bytes),
    tensors: reports,
  };
}

export function countZeros(tensor: TensorData): number {
  let zeros = 0;
  for (const value of readElements(tensor)) if (value === 0 || value === 0n) zeros++;
  return zeros;
}
