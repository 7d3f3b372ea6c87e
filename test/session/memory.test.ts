import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession, Tensor } from '../../src/index.js';
import { loadAddon } from '../../src/native/addon.js';
import { mlpPolicy } from '../../src/networks/index.js';

/** A weight of 4 MiB, which is worth giving back. */
const bytes = exportOnnx(mlpPolicy({ widths: [1024, 1024, 8] }));
const feeds = { observation: new Tensor('float32', new Float32Array(1024).fill(0.1), [1, 1024]) };
let folder = '';
let path = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-memory-'));
  path = join(folder, 'model.onnx');
  await writeFile(path, bytes);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a session of fixed shapes', () => {
  it('gives back what it read from a file once its weights are packed, and runs on', async () => {
    const freed = vi.spyOn(loadAddon(), 'freeBuffer');
    using session = await InferenceSession.create(path, { threads: 1 });
    expect(freed).toHaveBeenCalledOnce();
    expect(freed.mock.calls[0]?.[0].byteLength).toBe(0); // it held the whole file
    freed.mockRestore();
    const first = session.runSync(feeds)['action'];
    expect((await session.run(feeds))['action']).toEqual(first);
    expect(session.explain(feeds)[0]).toMatchObject({ outputs: 1024, inputs: 1024 });
    expect(session.profile(feeds).length).toBeGreaterThan(0);
    using other = await InferenceSession.create(path, { threads: 1 });
    expect(other.runSync(feeds)['action']).toEqual(first);
  });

  it('leaves the bytes and the graph of the caller alone', async () => {
    const copy = bytes.slice();
    using session = await InferenceSession.create(copy, { threads: 1 });
    expect(Buffer.compare(copy, bytes)).toBe(0);
    expect(session.runSync(feeds)['action']?.dims).toEqual([1, 8]);
    const graph = mlpPolicy({ widths: [1024, 1024, 8] });
    const sizes = () => [...graph.constants.values()].map((constant) => constant.bytes.byteLength);
    const before = sizes();
    using fromGraph = InferenceSession.fromGraph(graph, { threads: 1 });
    expect(fromGraph.runSync(feeds)['action']?.dims).toEqual([1, 8]);
    expect(sizes()).toEqual(before);
  });
});
