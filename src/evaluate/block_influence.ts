import { exportOnnx } from '../formats/onnx/index.js';
import type { Graph } from '../graph/graph.js';
import { findBlocks } from '../prune/structured/blocks.js';
import { InferenceSession } from '../session.js';
import type { TensorMap } from '../tensor.js';

/**
 * Block influence of every residual block, by name: 1 - the mean cosine, over tokens or pixels and samples, of what
 * comes in and what goes out (X. Men et al., "ShortGPT: layers in large language models are more redundant than you
 * expect", 2024). A block that hardly turns its input has little influence.
 * @param samples feeds of the model, one run each; all of the same dims
 * @param onSample called after each run with the number of runs so far
 * @throws EspalierError those of a session, and of `findBlocks`
 */
export async function blockInfluence(
  graph: Graph,
  samples: Iterable<TensorMap>,
  onSample: (done: number) => void = () => {},
): Promise<Record<string, number>> {
  const totals = new Map<string, { sum: number; count: number }>();
  let session: InferenceSession | undefined;
  let blocks: ReturnType<typeof findBlocks> = [];
  let done = 0;
  try {
    for (const feeds of samples) {
      if (session === undefined) {
        const shapes = Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));
        blocks = findBlocks(graph, { shapes });
        session = await InferenceSession.create(exportOnnx(withOutputs(graph, blocks)));
      }
      const values: TensorMap = { ...feeds, ...(await session.run(feeds)) };
      for (const { name, input, output } of blocks) {
        const total = totals.get(name) ?? { sum: 0, count: 0 };
        totals.set(name, total);
        addCosines(total, values, input, output);
      }
      onSample(++done);
    }
  } finally {
    session?.release();
  }
  return Object.fromEntries([...totals].map(([name, { sum, count }]) => [name, 1 - sum / count]));
}

function withOutputs(
  graph: Graph,
  blocks: readonly { readonly input: string; readonly output: string }[],
): Graph {
  const there = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  const wanted = new Set(blocks.flatMap(({ input, output }) => [input, output]));
  const added = [...wanted].filter((name) => !there.has(name));
  return {
    ...graph,
    outputs: [
      ...graph.outputs,
      ...added.map((name) => ({ name, type: 'float32' as const, dims: undefined })),
    ],
  };
}

/** Images [batch, channels, ...] are compared pixel by pixel, all else along the last axis. */
function addCosines(
  total: { sum: number; count: number },
  values: TensorMap,
  input: string,
  output: string,
): void {
  const [x, y] = [values[input], values[output]];
  if (x === undefined || y === undefined) return;
  const [a, b] = [x.data as Float32Array, y.data as Float32Array];
  const channels = x.dims.length === 4 ? (x.dims[1] ?? 1) : (x.dims.at(-1) ?? 1);
  const stride = x.dims.length === 4 ? (x.dims[2] ?? 1) * (x.dims[3] ?? 1) : 1;
  for (let outer = 0; outer < a.length; outer += channels * stride) {
    for (let inner = outer; inner < outer + stride; inner++) {
      let [product, squaresA, squaresB] = [0, 0, 0];
      for (let at = inner; at < inner + channels * stride; at += stride) {
        const [p, q] = [a[at] ?? 0, b[at] ?? 0];
        product += p * q;
        squaresA += p * p;
        squaresB += q * q;
      }
      const norm = Math.sqrt(squaresA * squaresB);
      total.sum += norm === 0 ? 1 : product / norm; // nothing in, nothing out: not turned
      total.count++;
    }
  }
}
