import { describe, expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession, Tensor } from '../../src/index.js';
import { expectError, observation, policyGraph } from './support.js';

const open = () => InferenceSession.create(exportOnnx(policyGraph()), { threads: 1 });
const floats = (count: number, dims: readonly number[]) =>
  new Tensor('float32', new Float32Array(count), dims);

describe('outputs that the caller gives', () => {
  test('are written to, and returned, by run and runSync', async () => {
    const session = await open();
    const feeds = { obs: observation() };
    const expected = session.runSync(feeds)['action'];
    const mine = floats(12, [1, 12]);
    const outputs = { action: mine };
    expect(session.runSync(feeds, { outputs })['action']).toBe(mine);
    expect(mine.data).toEqual(expected?.data);
    (mine.data as Float32Array).fill(-1);
    expect((await session.run(feeds, { outputs }))['action']).toBe(mine);
    expect(mine.data).toEqual(expected?.data);
    session.release();
  });

  test('may be left out one by one, or altogether', async () => {
    const session = await open();
    const feeds = { obs: observation() };
    const first = session.runSync(feeds, { outputs: {} })['action'];
    const second = session.runSync(feeds, {})['action'];
    expect(second).not.toBe(first);
    expect(second?.data).toEqual(first?.data);
    session.release();
  });

  test('are refused when they do not fit, and stay as they were', async () => {
    const session = await open();
    const obs = observation();
    const run = (outputs: unknown) => () => session.runSync({ obs }, { outputs } as never);
    const mine = floats(12, [1, 12]);
    await expectError(run({ actoin: mine }), 'ERR_ESPALIER_ARGUMENT', /"actoin".*did you mean "action"/);
    await expectError(
      run({ action: floats(12, [12]) }),
      'ERR_ESPALIER_SHAPE',
      /\[1, 12\], got float32 \[12\]/,
    );
    await expectError(
      run({ action: new Tensor('int32', new Int32Array(12), [1, 12]) }),
      'ERR_ESPALIER_TYPE',
      /to be float32 \[1, 12\], got int32/,
    );
    await expectError(run({ action: 5 }), 'ERR_ESPALIER_ARGUMENT', /got no Tensor/);
    await expectError(run(7), 'ERR_ESPALIER_ARGUMENT', /object of tensors, got 7/);
    await expectError(
      () => session.runSync({ obs }, { output: {} } as never),
      'ERR_ESPALIER_ARGUMENT',
      /unknown key "output"/,
    );
    expect([...(mine.data as Float32Array)]).toEqual(new Array(12).fill(0));
    session.release();
  });

  test('may not lie in the memory of a feed', async () => {
    const session = await open();
    const memory = new ArrayBuffer(4 * (48 + 12));
    const obs = new Tensor('float32', new Float32Array(memory, 0, 48), [1, 48]);
    const action = new Tensor('float32', new Float32Array(memory, 4 * 48, 12), [1, 12]);
    await expectError(
      () => session.runSync({ obs }, { outputs: { action } }),
      'ERR_ESPALIER_ARGUMENT',
      /memory of its own/,
    );
    session.release();
  });

  test('may lose their memory during a run: the run says so, and nothing else happens', async () => {
    const session = await open();
    const action = floats(12, [1, 12]);
    const pending = session.run({ obs: observation() }, { outputs: { action } });
    structuredClone(action.data.buffer, { transfer: [action.data.buffer as ArrayBuffer] });
    await expectError(() => pending, 'ERR_ESPALIER_ARGUMENT', /"action" to keep its 12 elements.*got 0/);
    session.release();
  });
});
