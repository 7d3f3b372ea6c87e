import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  exportOnnx,
  exportOnnxSplit,
  importOnnx,
  readOnnx,
  readOnnxStorage,
} from '../../src/formats/onnx/index.js';
import type { Graph } from '../../src/graph/index.js';
import { applyPruning, planPruning } from '../../src/prune/index.js';
import { mlp } from '../cli/models.js';

let folder = '';
const at = (name: string) => path.join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'espalier-onnx-'));
});
afterAll(() => rm(folder, { recursive: true }));

const pruned = () => applyPruning(mlp(), planPruning(mlp(), { sparsity: 0.9, scope: 'layer' }));

/** What onnxruntime computes of a model. */
async function run(model: string | Uint8Array): Promise<ort.Tensor['data'] | undefined> {
  const session = await (typeof model === 'string'
    ? ort.InferenceSession.create(model)
    : ort.InferenceSession.create(model));
  const x = new ort.Tensor(
    'float32',
    new Float32Array(32).map((_, i) => Math.sin(i)),
    [1, 32],
  );
  const { y2 } = await session.run({ x });
  await session.release();
  return y2?.data;
}

async function writeSplit(name: string, graph: Graph, sparseInitializers = false): Promise<void> {
  const { model, data } = exportOnnxSplit(graph, `${name}.data`, { sparseInitializers });
  await writeFile(at(name), model);
  await writeFile(at(`${name}.data`), data);
}

describe('constants in a second file', () => {
  test('are read back to the bit, by onnxruntime too', async () => {
    await writeSplit('split.onnx', mlp());
    const { constants } = await readOnnx(at('split.onnx'));
    expect([...constants]).toEqual([...mlp().constants]);
    expect(await run(at('split.onnx'))).toEqual(await run(exportOnnx(mlp())));
    // w2 is smaller than a page.
    expect(await readOnnxStorage(at('split.onnx'))).toEqual({
      external: [{ file: 'split.onnx.data', constants: 1 }],
      sparse: 0,
    });
  });

  test('begin at whole pages', () => {
    const { constants } = mlp();
    const [w1] = constants.values();
    const bytes = new Uint8Array(5000).fill(7);
    const odd = { type: 'uint8', dims: [5000], bytes } as const;
    const graph = { ...mlp(), constants: new Map([...constants, ['a', odd], ['b', odd]]) };
    const { data } = exportOnnxSplit(graph, 'x.data');
    const file = Buffer.concat(data);
    expect(w1?.bytes.length).toBe(8192);
    expect([...file.subarray(8192, 13192)]).toEqual([...bytes]);
    expect([...file.subarray(16384)]).toEqual([...bytes]);
    expect(file.subarray(13192, 16384).every((byte) => byte === 0)).toBe(true);
  });
});

describe('sparse initializers', () => {
  test('are smaller, read back to the bit, and onnxruntime agrees', async () => {
    const graph = pruned();
    const [plain, sparse] = [exportOnnx(graph), exportOnnx(graph, { sparseInitializers: true })];
    expect(sparse.length).toBeLessThan(0.4 * plain.length);
    expect(new Map(importOnnx(sparse).constants)).toEqual(new Map(graph.constants));
    expect(await run(sparse)).toEqual(await run(plain));
    await writeFile(at('sparse.onnx'), sparse);
    expect(await readOnnxStorage(at('sparse.onnx'))).toEqual({ external: [], sparse: 2 });
  });

  test('keep -0, and are none where they would be larger', () => {
    const graph = mlp();
    const values = new Float32Array(2048);
    values[5] = -0;
    values[9] = 3;
    const w1 = { type: 'float32', dims: [32, 64], bytes: new Uint8Array(values.buffer) } as const;
    const constants = new Map([...graph.constants, ['w1', w1] as const]);
    const again = importOnnx(exportOnnx({ ...graph, constants }, { sparseInitializers: true }));
    expect(Object.is(new Float32Array(again.constants.get('w1')?.bytes.slice().buffer ?? [])[5], -0)).toBe(
      true,
    );
    expect(exportOnnx(graph, { sparseInitializers: true })).toEqual(exportOnnx(graph));
  });

  test('go with a second file', async () => {
    const graph = pruned();
    const half = {
      ...graph,
      constants: new Map([...graph.constants, ['w1', mlp().constants.get('w1')] as never]),
    };
    await writeSplit('both.onnx', half, true);
    expect(await readOnnxStorage(at('both.onnx'))).toMatchObject({ external: [{ constants: 1 }], sparse: 1 });
    expect(new Map((await readOnnx(at('both.onnx'))).constants)).toEqual(new Map(half.constants));
    expect(await run(at('both.onnx'))).toEqual(await run(exportOnnx(half)));
  });
});
