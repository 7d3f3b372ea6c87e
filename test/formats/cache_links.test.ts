import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ort from 'onnxruntime-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeShards, readTensors } from '../../src/formats/index.js';
import { exportOnnxSplit, readOnnx } from '../../src/formats/onnx/index.js';
import { mlp } from '../cli/models.js';

/** A cache as huggingface_hub lays it out: `blobs` named by hash, and links to them for each revision. */
let folder = '';
const at = (name: string) => path.join(folder, name);
let blobs = 0;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'espalier-cache-'));
  await mkdir(at('blobs'));
  await mkdir(at('snapshots/abc/onnx'), { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

/** Puts a file into the cache, as `snapshots/abc/${name}`. */
async function add(name: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<void> {
  const blob = at(`blobs/${(blobs++).toString(16).padStart(40, 'f')}`);
  await writeFile(blob, bytes);
  await link(name, blob);
}

async function link(name: string, target: string): Promise<void> {
  const file = at(`snapshots/abc/${name}`);
  await symlink(path.relative(path.dirname(file), target), file);
}

test('shards in a cache are read through its links', async () => {
  const { constants } = mlp();
  for (const [name, bytes] of encodeShards(constants, { shardBytes: 9000 })) await add(name, bytes);
  const index = at('snapshots/abc/model.safetensors.index.json');
  expect(new Map(await readTensors(index))).toEqual(constants);
});

test('external data in a cache is read through its links, as onnxruntime does', async () => {
  const { model, data } = exportOnnxSplit(mlp(), 'model.onnx_data');
  await add('onnx/model.onnx', model);
  await add('onnx/model.onnx_data', data);
  const file = at('snapshots/abc/onnx/model.onnx');
  expect([...(await readOnnx(file)).constants]).toEqual([...mlp().constants]);
  await (await ort.InferenceSession.create(file)).release();
});

test('links to anywhere else are refused, by a message that says so', async () => {
  const { model, data } = exportOnnxSplit(mlp(), 'model.onnx_data');
  await add('onnx/model.onnx', model);
  const message = /got a link that leads out of it at "model\.onnx_data"/;
  const file = at('snapshots/abc/onnx/model.onnx');
  await writeFile(at('elsewhere'), data);
  await link('onnx/model.onnx_data', at('elsewhere'));
  await expect(readOnnx(file)).rejects.toThrow(message);
  // A model that is no link itself may name what lies in its folder alone, blobs or not.
  await rm(at('snapshots/abc/onnx/model.onnx_data'));
  await rm(file);
  await writeFile(file, model);
  await add('onnx/model.onnx_data', data);
  await expect(readOnnx(file)).rejects.toThrow(message);
});
