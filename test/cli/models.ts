import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { runCli } from '../../src/cli/program.js';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import type { Dim, Graph } from '../../src/graph/graph.js';
import { chain, randomConstant, seeded } from '../prune/graphs.js';

/** x [batch, 32] -> MatMul -> Relu -> MatMul -> y [batch, 8]. */
export function mlp(batch: Dim = 1): Graph {
  const random = seeded(11);
  const graph = chain(
    [
      { name: 'hidden', op: 'MatMul', weight: 'w1' },
      { name: 'act', op: 'Relu', weight: '' },
      { name: 'head', op: 'MatMul', weight: 'w2' },
    ],
    { w1: randomConstant([32, 64], random), w2: randomConstant([64, 8], random) },
  );
  return {
    ...graph,
    nodes: graph.nodes.map((node) => ({ ...node, inputs: node.inputs.filter((name) => name !== '') })),
    inputs: [{ name: 'x', type: 'float32', dims: [batch, 32] }],
    outputs: [{ name: 'y2', type: 'float32', dims: [batch, 8] }],
  };
}

/** A folder of its own with model.onnx (fixed batch) and dynamic.onnx. */
export async function modelFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'espalier-cli-'));
  await writeFile(path.join(folder, 'model.onnx'), exportOnnx(mlp()));
  await writeFile(path.join(folder, 'dynamic.onnx'), exportOnnx(mlp('batch')));
  return { folder, remove: () => rm(folder, { recursive: true }) };
}

/** Runs a command line in this process. */
export async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runCli(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    interactive: false,
  });
  return { code, out, err };
}

/** What a command line that must succeed prints as JSON. */
// biome-ignore lint/suspicious/noExplicitAny: every command prints its own
export async function json(...args: string[]): Promise<any> {
  const { code, out, err } = await cli(...args, '--json');
  if (code !== 0) throw new Error(err);
  return JSON.parse(out);
}
