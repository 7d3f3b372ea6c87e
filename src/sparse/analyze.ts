import type { Graph } from '../graph/graph.js';
import { isDepthwise, type Layer } from '../graph/layers.js';
import { completeAnalysis } from './counts.js';
import type { BlockPattern, Pattern } from './patterns.js';
import { StructureCounter } from './structure.js';
import { storedBits } from './weights.js';

/** What the zeros of one layer look like. A weight is zero here when it runs as zero: exact zeros and denormals. */
export interface LayerAnalysis {
  readonly op: Layer['op'];
  readonly groups: number;
  /** Outputs of one group. */
  readonly outputs: number;
  /** Inputs of one group: for Conv, channels x kernel taps. */
  readonly inputs: number;
  /** groups * outputs * inputs. */
  readonly weights: number;
  /** Weights that are exactly 0 or -0. */
  readonly zeros: number;
  /** Weights too small for a normal float32 (below 1.18e-38); they are flushed to zero when packed. */
  readonly denormals: number;
  /** (zeros + denormals) / weights. */
  readonly sparsity: number;
  /** The pattern that the zeros lie in; `dense` when there are next to none. Blocks may have sides of 1 to 16. */
  readonly pattern: Pattern | 'dense';
  /** Share of the blocks of each pattern that are wholly zero. */
  readonly blockSparsity: Readonly<Record<BlockPattern, number>>;
  /** Values a block format stores: r for each block that is not wholly zero, padding of the last rows included. */
  readonly storedWeights: Readonly<Record<BlockPattern, number>>;
  /** storedWeights / non-zero weights: 1 when the zeros lie in whole blocks; 1 too when there is no non-zero weight. */
  readonly storedRatio: Readonly<Record<BlockPattern, number>>;
  /** Values the dense format stores: whole blocks of 16 rows. */
  readonly denseStored: number;
  /** Non-zero weights / (16 x those of the fullest output), summed over every 16 outputs: 1 when all have as many. */
  readonly rowBalance: number;
  /** Largest magnitude; NaN when some weight is. */
  readonly largest: number;
  /** Outputs, over all groups, whose weights are all zero. */
  readonly emptyOutputs: number;
  /** Inputs, over all groups, whose weights are all zero. */
  readonly emptyInputs: number;
  /** Whether the layer is a depthwise convolution, which has kernels of its own. */
  readonly depthwise: boolean;
}

const magnitudeBits = 0x7fffffff;
const smallestNormalBits = 0x00800000;
const infinityBits = 0x7f800000;

/**
 * Counts the zeros of a layer and how they cluster, in one pass over the weight's bytes.
 * @throws EspalierError ERR_ESPALIER_MODEL when the weight constant does not fit the layer.
 */
export function analyzeLayer(graph: Graph, layer: Layer): LayerAnalysis {
  const { groups, outputs, inputs, outputStride, inputStride } = layer;
  const bits = storedBits(graph, layer); // [groups * outputs * inputs], in stored order
  const kept = { '16x1': 0, '8x1': 0, '4x1': 0 };
  const structure = new StructureCounter();
  const rowCounts = new Uint32Array(groups * outputs); // non-zero weights of each output
  let fullestRows = 0; // 16 x the largest count of every 16 outputs
  let largestBits = 0;
  let zeros = 0;
  let denormals = 0;
  let emptyInputs = 0;

  for (let group = 0; group < groups; group++) {
    const usedInputs = new Uint8Array(inputs);
    for (let block = 0; block < outputs; block += 16) {
      const firstRow = group * outputs + block;
      const rows = Math.min(16, outputs - block);
      structure.beginRows(rows);
      for (let input = 0; input < inputs; input++) {
        let nonZero = 0; // bit r: weight (firstRow + r, input) is not zero
        let at = firstRow * outputStride + input * inputStride;
        for (let row = 0; row < rows; row++, at += outputStride) {
          const magnitude = (bits[at] as number) & magnitudeBits;
          if (magnitude >= smallestNormalBits) {
            nonZero |= 1 << row;
            rowCounts[firstRow + row] = (rowCounts[firstRow + row] as number) + 1;
            if (magnitude > largestBits) largestBits = magnitude;
          } else if (magnitude === 0) zeros++;
          else denormals++;
        }
        structure.add(nonZero);
        if (nonZero === 0) continue;
        usedInputs[input] = 1;
        kept['16x1']++;
        kept['8x1'] += ((nonZero & 0xff) !== 0 ? 1 : 0) + ((nonZero & 0xff00) !== 0 ? 1 : 0);
        kept['4x1'] +=
          ((nonZero & 0xf) !== 0 ? 1 : 0) +
          ((nonZero & 0xf0) !== 0 ? 1 : 0) +
          ((nonZero & 0xf00) !== 0 ? 1 : 0) +
          ((nonZero & 0xf000) !== 0 ? 1 : 0);
      }
      structure.endRows();
      fullestRows += 16 * rowCounts.subarray(firstRow, firstRow + rows).reduce((a, b) => Math.max(a, b), 0);
    }
    emptyInputs += countZeros(usedInputs);
  }

  const weights = groups * outputs * inputs;
  const nonZeros = weights - zeros - denormals;
  return completeAnalysis(
    { op: layer.op, groups, outputs, inputs, depthwise: isDepthwise(graph, layer) },
    {
      zeros,
      denormals,
      pattern: structure.pattern(nonZeros, weights),
      blocks: kept,
      rowBalance: fullestRows === 0 ? 1 : nonZeros / fullestRows,
      largest: largestBits > infinityBits ? Number.NaN : floatOfBits(largestBits),
      emptyOutputs: countZeros(rowCounts),
      emptyInputs,
    },
  );
}

function countZeros(counts: Uint8Array | Uint32Array): number {
  let count = 0;
  for (const value of counts) if (value === 0) count++;
  return count;
}

function floatOfBits(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0] as number;
}
