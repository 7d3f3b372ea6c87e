import { spawn, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportOnnxSplit } from '../../src/formats/onnx/index.js';
import { InferenceSession } from '../../src/index.js';
import { cli, json, mlp, modelFolder } from './models.js';

let folder = '';
let remove = async () => {};
const at = (name: string) => path.join(folder, name);
let pipes = 0;

/** A named pipe that hands out a file once: a second reader would wait for ever. */
function piped(name: string): string {
  const pipe = at(`pipe${pipes++}`);
  spawnSync('mkfifo', [pipe]);
  spawn('sh', ['-c', 'cat "$0" > "$1"', at(name), pipe], { stdio: 'ignore' });
  return pipe;
}

beforeAll(async () => {
  ({ folder, remove } = await modelFolder());
  await json('compile', at('model.onnx'), '-o', at('model.esp'));
  await json('convert', at('model.onnx'), at('model.safetensors'));
  const { model, data } = exportOnnxSplit(mlp(), 'split.onnx.data');
  await writeFile(at('split.onnx'), model);
  await writeFile(at('split.onnx.data'), data);
});
afterAll(() => remove());

describe.runIf(process.platform !== 'win32')('what can be read only once', () => {
  test('a session reads a model from it', async () => {
    const session = await InferenceSession.create(piped('model.onnx'), { threads: 1 });
    expect(session.inputNames).toEqual(['x']);
    session.release();
  });

  test.each(['model.onnx', 'model.esp', 'model.safetensors', 'split.onnx'])(
    '%s is inspected',
    async (name) => {
      const expected = await json('inspect', at(name));
      expect(await json('inspect', piped(name))).toEqual(expected);
      const verified = cli('inspect', piped(name), '--verify');
      expect(await verified).toMatchObject({ code: name === 'model.esp' ? 0 : 2 });
    },
  );

  test.each(['model.onnx', 'model.esp', 'split.onnx'])('%s is run, explained and compared', async (name) => {
    const { outputs } = await json('run', at(name));
    expect(outputs).toHaveLength(1);
    expect((await json('run', piped(name))).outputs).toEqual(outputs);
    expect((await json('explain', piped(name))).layers).toHaveLength(2);
    const report = await json('diff', piped(name), piped('model.onnx'));
    expect(report.tensors.map((one: { difference: object }) => one.difference)).toEqual([
      { max: 0, relative: 0, share: 0 },
      { max: 0, relative: 0, share: 0 },
    ]);
    expect(report.outputs).toHaveLength(1);
  });

  test.each(['model.onnx', 'model.esp'])('%s is pruned, converted and compiled', async (name) => {
    const to = (ending: string) => at(`${name}.${pipes}.${ending}`);
    expect(await json('groups', piped(name))).toEqual(await json('groups', at(name)));
    await json('prune', piped(name), '--sparsity', '0.5', '-o', to('onnx'));
    await json('convert', piped(name), to('npz'), '--weights', piped('model.safetensors'));
    await json('compile', piped(name), '-o', to('esp'));
    expect((await json('inspect', to('esp'))).layers).toHaveLength(2);
  });

  test('a broken one is an error with its name', async () => {
    await writeFile(at('broken'), 'no model at all');
    const pipe = piped('broken');
    const { code, err } = await cli('inspect', pipe);
    expect({ code, named: err.includes(pipe) }).toEqual({ code: 1, named: true });
    expect(err).toMatch(/ERR_ESPALIER_MODEL/);
  });
});
