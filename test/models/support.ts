import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EngineOptions, openEngine, type Values } from '../../bench/lib/engines.mjs';
import { makeImage } from '../../bench/lib/image.mjs';
import { judge, withProbe } from '../../bench/lib/judge.mjs';
import type { BenchModel } from '../../bench/lib/models.mjs';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import type { Graph } from '../../src/graph/graph.js';
import { InferenceSession, type SessionOptions, Tensor } from '../../src/index.js';

/** Outputs of onnxruntime for a file and the model's picture of the given dims. */
export async function runOnnxruntime(
  path: string,
  model: BenchModel,
  dims: readonly number[],
  options: Pick<EngineOptions, 'optimise'> = {},
) {
  const feeds = { [model.input]: makeImage(model, dims) };
  const engine = await openEngine({ engine: 'onnxruntime', model: path, ...options }, feeds);
  try {
    return await engine.outputs();
  } finally {
    await engine.close();
  }
}

/** Outputs of espalier for a file and the model's picture of the given dims. */
export async function runEspalier(
  path: string,
  model: BenchModel,
  dims: readonly number[],
  options: SessionOptions = {},
) {
  const session = await InferenceSession.create(path, options);
  try {
    return await runSession(session, model, dims);
  } finally {
    session.release();
  }
}

export async function runSession(session: InferenceSession, model: BenchModel, dims: readonly number[]) {
  const { data } = makeImage(model, dims);
  const outputs = await session.run({ [model.input]: new Tensor('float32', data, dims) });
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, valuesOf(name, tensor)]));
}

function valuesOf(name: string, { data, dims }: Tensor): Values {
  if (!(data instanceof Float32Array)) throw new Error(`Expected output "${name}" to be float32`);
  return { data, dims };
}

/**
 * The error of a graph that is no file yet, against onnxruntime on the same file: see bench/lib/judge.mjs for what is
 * compared where an output is not determined by float32 arithmetic.
 */
export async function errorOnGraph(
  graph: Graph,
  model: BenchModel,
  options: SessionOptions = {},
): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'espalier-test-'));
  const write = (name: string, content: Graph) => {
    const path = join(directory, name);
    writeFileSync(path, exportOnnx(content));
    return path;
  };
  const both = async (path: string) => ({
    expected: await runOnnxruntime(path, model, model.dims),
    actual: await runEspalier(path, model, model.dims, options),
  });
  try {
    const path = write('model.onnx', graph);
    const { probe } = model;
    const { error } = await judge({
      ...(await both(path)),
      probe,
      unoptimised: () => runOnnxruntime(path, model, model.dims, { optimise: false }),
      probed: () => both(write('probed.onnx', probe === undefined ? graph : withProbe(graph, probe))),
    });
    return error;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
