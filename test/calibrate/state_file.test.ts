import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { PruneStateFile, pruneCalibrated } from '../../src/calibrate/index.js';
import { Tensor } from '../../src/index.js';
import { chain, randomConstant, seeded, values } from '../prune/graphs.js';
import { correlated } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'espalier-state-'));
const path = join(folder, 'model.onnx.unfinished');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => rmSync(path, { force: true }));

const random = seeded(4);
const names = ['w1', 'w2', 'w3'];
const graph = chain(
  names.map((weight, i) => ({ name: `layer${i}`, op: 'MatMul', weight })),
  Object.fromEntries(names.map((name) => [name, randomConstant([40, 40], random)])),
);
const samples = [{ x: new Tensor('float32', correlated(100, 40, 1), [100, 40]) }];
const options = { sparsity: 0.5, threads: 1 } as const;

/** The weights of a run with this state; `after` layers it is interrupted. */
async function run(after = names.length): Promise<Float32Array[]> {
  const state = await PruneStateFile.open(path);
  let finished = 0;
  try {
    const interrupting = {
      begin: (key: string) => state.begin(key),
      get: (weight: string) => state.get(weight),
      measured: () => undefined,
      setMeasured: () => {},
      set: async (...given: Parameters<PruneStateFile['set']>) => {
        if (finished++ === after) throw new Error('interrupted');
        await state.set(...given);
      },
    };
    const pruned = await pruneCalibrated(graph, samples, { ...options, state: interrupting });
    return names.map((name) => values(pruned.graph, name));
  } finally {
    await state.close();
  }
}

async function uninterrupted(): Promise<Float32Array[]> {
  const pruned = await pruneCalibrated(graph, samples, options);
  return names.map((name) => values(pruned.graph, name));
}

test('an interrupted run goes on from its last layer, with the same result', async () => {
  await expect(run(2)).rejects.toThrow('interrupted');
  const state = await PruneStateFile.open(path);
  await expect(state.begin('another key')).rejects.toThrow(/of another model, other data or other options/);
  await state.close();
  expect(await run()).toEqual(await uninterrupted());
});

test('a record that was cut off is done again', async () => {
  await run();
  const whole = readFileSync(path);
  for (const length of [whole.length - 1, whole.length - 5000, 120, 1]) {
    writeFileSync(path, whole);
    truncateSync(path, length);
    if (length < 100) {
      await expect(run()).rejects.toThrow(/finished layers at .* got other bytes; remove the file/);
      continue;
    }
    expect(await run()).toEqual(await uninterrupted());
    expect(readFileSync(path)).toEqual(whole);
  }
});

test('a flipped byte ends what is trusted', async () => {
  await run();
  const whole = readFileSync(path);
  const broken = Buffer.from(whole);
  const at = whole.length - 3000;
  broken[at] = (broken[at] as number) ^ 1;
  writeFileSync(path, broken);
  expect(await run()).toEqual(await uninterrupted());
  expect(readFileSync(path)).toEqual(whole);
});

test('other data is another run', async () => {
  await run();
  const state = await PruneStateFile.open(path);
  const others = [{ x: new Tensor('float32', correlated(100, 40, 2), [100, 40]) }];
  await expect(pruneCalibrated(graph, others, { ...options, state })).rejects.toThrow(
    /remove the file to begin anew/,
  );
  await state.close();
});
