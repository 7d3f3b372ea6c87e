import { describe, expect, it } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import type { Graph, TensorData } from '../../src/graph/index.js';
import { InferenceSession, Tensor, type TensorMap } from '../../src/index.js';
import { bytesPerElement, typedArrayOf } from '../../src/tensor.js';
import { type Case, caseNames, readCase } from '../graph/backend.js';
import { relativeError } from '../graph/support.js';

/**
 * Cases whose stated outputs are not followed: with align_corners, version 1.12 divides by size x scale before it is
 * rounded to the output's size; onnxruntime, as espalier, by the output's size.
 */
const otherwise = /^test_resize_downsample_scales_(linear|cubic)_align_corners$/;

function toTensor({ type, dims, bytes }: TensorData): Tensor {
  const copy = Uint8Array.from(bytes).buffer;
  return new Tensor(type, new typedArrayOf[type](copy, 0, copy.byteLength / bytesPerElement[type]), dims);
}

function toData({ type, dims, data }: Tensor): TensorData {
  return { type, dims, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** Runs a graph; undefined when espalier says that it does not support it. */
async function tryRun(graph: Graph, inputs: ReadonlyMap<string, TensorData>) {
  const feeds: TensorMap = Object.fromEntries(
    graph.inputs.map(({ name }) => [name, toTensor(inputs.get(name) as TensorData)]),
  );
  try {
    const session = await InferenceSession.create(exportOnnx(graph), { threads: 1 });
    try {
      return session.runSync(feeds);
    } finally {
      session.release();
    }
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_ESPALIER_UNSUPPORTED') return undefined;
    throw error;
  }
}

/** How many cases run; each must give the outputs that the case states. */
async function runAll(cases: readonly Case[], prepare: (test: Case) => Graph): Promise<number> {
  let count = 0;
  for (const test of cases) {
    const results = await tryRun(prepare(test), test.inputs);
    if (results === undefined) continue;
    for (const [name, expected] of test.outputs) {
      const actual = results[name];
      expect([actual?.type, actual?.dims], test.name).toEqual([expected.type, expected.dims]);
      // Relative to the largest value: the cases state float32 sums, whose order is not ours.
      expect(actual && relativeError(toData(actual), expected), test.name).toBeLessThan(1e-5);
    }
    count++;
  }
  return count;
}

/** All inputs but the first become constants: weights, axes, scales, as models have them. */
function withConstants({ graph, inputs }: Case): Graph {
  const [fed, ...others] = graph.inputs;
  const constants = others.map(({ name }) => [name, inputs.get(name) as TensorData] as const);
  return {
    ...graph,
    inputs: fed === undefined ? [] : [fed],
    constants: new Map([...graph.constants, ...constants]),
  };
}

describe.skipIf(caseNames.length === 0)('ONNX backend node tests, run', () => {
  const cases = caseNames.flatMap((name) => (otherwise.test(name) ? [] : (readCase(name) ?? [])));

  it('with all inputs fed', async () => {
    expect(await runAll(cases, ({ graph }) => graph)).toBeGreaterThanOrEqual(745);
  });

  it('with all inputs but the first as constants', async () => {
    expect(await runAll(cases, withConstants)).toBeGreaterThanOrEqual(755);
  });
});
