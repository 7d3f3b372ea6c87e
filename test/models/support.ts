import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { largestError } from '../../bench/lib/compare.mjs';
import { openEngine } from '../../bench/lib/engines.mjs';
import { makeImage } from '../../bench/lib/image.mjs';
import type { BenchModel } from '../../bench/lib/models.mjs';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import type { Graph } from '../../src/graph/graph.js';
import { InferenceSession, type SessionOptions, Tensor } from '../../src/index.js';

export interface Values {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Outputs of onnxruntime for a file and the model's picture of the given dims. */
export async function runOnnxruntime(path: string, model: BenchModel, dims: readonly number[]) {
  const engine = await openEngine({ engine: 'onnxruntime', model: path }, picture(model, dims));
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
): Promise<Record<string, Values>> {
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

function picture(model: BenchModel, dims: readonly number[]): Record<string, Values> {
  return { [model.input]: makeImage(model, dims) };
}

/** A directory for the files of one test file. */
export function temporaryDirectory(): {
  write(name: string, graph: Graph): string;
  remove(): void;
} {
  const directory = mkdtempSync(join(tmpdir(), 'espalier-test-'));
  return {
    write(name, graph) {
      const path = join(directory, name);
      writeFileSync(path, exportOnnx(graph));
      return path;
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export { largestError };
