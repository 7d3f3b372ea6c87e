import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import type { Graph } from '../../src/graph/graph.js';
import { buildGraph, floats, ints, node } from '../graph/support.js';
import { policyGraph } from '../session/support.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'espalier-ort-'));
});
afterAll(() => rm(folder, { recursive: true }));

const packages = {
  espalier: fileURLToPath(new URL('../../dist/onnxruntime/index.js', import.meta.url)),
  node: createRequire(import.meta.url).resolve('onnxruntime-node'),
};

async function fileOf(graph: Graph): Promise<string> {
  const model = path.join(await mkdtemp(path.join(folder, 'model-')), 'model.onnx');
  await writeFile(model, exportOnnx(graph));
  return model;
}

/** What a program for onnxruntime-node prints with each package in the place of that import. */
async function runWithBoth(file: string, argument: string): Promise<[unknown[], unknown[]]> {
  const text = await readFile(new URL(`programs/${file}`, import.meta.url), 'utf8');
  const run = async ([label, entry]: [string, string]) => {
    const program = path.join(folder, `${label}.${file}`);
    const module = file.endsWith('.cjs') ? entry : pathToFileURL(entry).href;
    await writeFile(program, text.replace("'onnxruntime-node'", JSON.stringify(module)));
    const { stdout } = await promisify(execFile)(process.execPath, [program, argument]);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as unknown[];
  };
  const [own, reference] = await Promise.all(Object.entries(packages).map(run));
  return [own as unknown[], reference as unknown[]];
}

/**
 * The same values; numbers within 1e-5 of each other, relative to values of about 1: the two sum up in other orders.
 */
function expectClose(own: unknown, reference: unknown, where: string): void {
  if (typeof own === 'number' && typeof reference === 'number') {
    const close = Math.abs(own - reference) <= 1e-5 * Math.max(1, Math.abs(reference));
    if (!close) throw new Error(`expected ${reference} at ${where}, got ${own}`);
  } else if (typeof own === 'object' && own !== null && typeof reference === 'object' && reference !== null) {
    expect(Object.keys(own), where).toEqual(Object.keys(reference));
    for (const [key, value] of Object.entries(reference))
      expectClose((own as Record<string, unknown>)[key], value, `${where}.${key}`);
  } else expect(own, where).toEqual(reference);
}

test('a control loop runs the same with either import', async () => {
  const [own, reference] = await runWithBoth('policy.mjs', await fileOf(policyGraph()));
  expectClose(own, reference, 'policy');
  expect(own.filter((item) => item === 'error')).toHaveLength(10);
});

test('a CommonJS program runs the same with either package', async () => {
  const [own, reference] = await runWithBoth('required.cjs', await fileOf(policyGraph()));
  expectClose(own, reference, 'required');
  expect(reference).toHaveLength(3);
});

/** Embeddings of the ids; their mean over the tokens that the mask keeps. */
function encoder(): Graph {
  return buildGraph({
    opset: 13,
    inputs: { input_ids: ['int64', 'batch', 'tokens'], attention_mask: ['int64', 'batch', 'tokens'] },
    constants: {
      table: floats([50, 16]),
      w: floats([16, 16], undefined, 2),
      last: ints([-1]),
      tokens: ints([1]),
    },
    nodes: [
      node('Gather', ['table', 'input_ids'], ['embedded'], { axis: 0n }),
      node('MatMul', ['embedded', 'w'], ['projected']),
      node('Tanh', ['projected'], ['last_hidden_state']),
      node('Cast', ['attention_mask'], ['mask'], { to: 1n }),
      node('Unsqueeze', ['mask', 'last'], ['kept']),
      node('Mul', ['last_hidden_state', 'kept'], ['masked']),
      node('ReduceSum', ['masked', 'tokens'], ['sum'], { keepdims: 0n }),
      node('ReduceSum', ['kept', 'tokens'], ['count'], { keepdims: 0n }),
      node('Div', ['sum', 'count'], ['sentence_embedding']),
    ],
    outputs: { last_hidden_state: 'float32', sentence_embedding: 'float32' },
  });
}

test('a sentence encoder runs the same with either import', async () => {
  const [own, reference] = await runWithBoth('embed.mjs', await fileOf(encoder()));
  expectClose(own, reference, 'embed');
  expect(reference).toHaveLength(8);
});

test('a detector of voices, which feeds a scalar as one element, runs the same with either import', async () => {
  const entry = createRequire(import.meta.url).resolve('@ricky0123/vad-web');
  const [own, reference] = await runWithBoth('vad.mjs', path.dirname(entry));
  expectClose(own, reference, 'vad');
  expect(reference).toHaveLength(15);
});
