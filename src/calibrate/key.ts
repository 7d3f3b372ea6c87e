import { createHash } from 'node:crypto';
import type { Graph } from '../graph/graph.js';
import type { Samples } from './samples.js';

/** Options that change how fast a run is, or what it tells, but not what comes out. */
const neutral = new Set(['state', 'onProgress', 'threads', 'activationBytes', 'meter']);

/** A hash of all that the result of a calibrated pruning depends on. */
export function runKey(graph: Graph, samples: Samples, options: object): string {
  const hash = createHash('sha256');
  const text = (value: unknown) => {
    const plain = JSON.stringify(value, printed) ?? 'undefined';
    hash.update(`${plain.length}:${plain}`);
  };
  const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => {
    hash.update(`${byteLength}:`).update(new Uint8Array(buffer, byteOffset, byteLength));
  };
  text([graph.inputs, graph.outputs, graph.nodes, graph.opsets]);
  for (const [name, { type, dims, bytes: data }] of graph.constants) {
    text([name, type, dims]);
    bytes(data);
  }
  for (const sample of samples) {
    for (const [name, { type, dims, data }] of Object.entries(sample)) {
      text([name, type, dims]);
      bytes(data);
    }
  }
  const kept = Object.entries(options).filter(([name, value]) => !neutral.has(name) && value !== undefined);
  text(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
  return hash.digest('hex');
}

/** What JSON has no form for. */
function printed(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint' || value instanceof RegExp) return String(value);
  if (value instanceof Map) return [...value];
  return ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
    : value;
}
