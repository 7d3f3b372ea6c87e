import { expect } from 'vitest';
import type { Probe } from '../../../bench/lib/models.mjs';
import { exportOnnx } from '../../../src/formats/onnx/index.js';
import type { Graph } from '../../../src/graph/graph.js';
import { maskStructuredPruning, type StructuredPlan } from '../../../src/prune/structured/index.js';
import type { TensorMap } from '../../../src/tensor.js';
import { compareAll, runEspalier, runOnnxruntime } from '../../operators/support.js';

/** Float32 sums in another order, through many layers. */
const tolerance = 1e-4;

/**
 * Expects a pruned graph to compute what the masked one does in onnxruntime: here, and in onnxruntime.
 * @param probe an output whose last step magnifies last bits, and the value to compare in its place
 */
export async function expectMasked(
  graph: Graph,
  plan: StructuredPlan,
  pruned: Graph,
  feeds: TensorMap,
  probe?: Probe,
): Promise<void> {
  const probed = (content: Graph): Graph => {
    if (probe === undefined) return content;
    const outputs = content.outputs.filter(({ name }) => name !== probe.output);
    return { ...content, outputs: [...outputs, { name: probe.value, type: 'float32', dims: undefined }] };
  };
  const expected = await runOnnxruntime(exportOnnx(probed(maskStructuredPruning(graph, plan))), feeds);
  const bytes = exportOnnx(probed(pruned));
  expect(compareAll(await runOnnxruntime(bytes, feeds), expected, { tolerance })).toEqual([]);
  expect(compareAll(await runEspalier(bytes, feeds), expected, { tolerance })).toEqual([]);
}

/** Elements of all float32 constants. */
export function parametersOf(graph: Graph): number {
  const floats = [...graph.constants.values()].filter(({ type }) => type === 'float32');
  return floats.reduce((sum, { bytes }) => sum + bytes.byteLength / 4, 0);
}
