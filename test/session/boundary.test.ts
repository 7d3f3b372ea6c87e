import { describe, expect, it } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { fromNumbers } from '../../src/graph/index.js';
import { InferenceSession, Tensor } from '../../src/index.js';
import { loadAddon } from '../../src/native/addon.js';
import {
  expectClose,
  expectError,
  expectedAction,
  observation,
  policyGraph,
  policyModel,
  runScript,
} from './support.js';

describe('sessions side by side', () => {
  it('answer for themselves', async () => {
    const doubled = policyGraph();
    const weights = Array.from({ length: 12 * 48 }, (_, i) => 2 * Math.fround(Math.sin(i)));
    const constants = new Map([['weight', fromNumbers('float32', [12, 48], weights)]]);
    const sessions = [
      await InferenceSession.create(policyModel(), { threads: 2 }),
      await InferenceSession.create(exportOnnx({ ...doubled, constants }), { threads: 3 }),
    ];
    const runs = Array.from({ length: 60 }, (_, seed) => {
      const obs = observation(1 + (seed % 4), seed);
      const factor = 1 + (seed % 2);
      const expected = expectedAction(obs).map((value) => value * factor);
      return { expected, outputs: sessions[seed % 2]?.run({ obs }) };
    });
    for (const { expected, outputs } of runs) expectClose((await outputs)?.['action'], expected);
    for (const session of sessions) session.release();
  });

  it('run on every instruction set there is, and on more threads than CPUs', async () => {
    for (const isa of loadAddon().availableIsas()) {
      for (const threads of [1, 2, 3, 17]) {
        const session = await InferenceSession.create(policyModel(), { isa: isa as 'scalar', threads });
        expect([session.isa, session.threads]).toEqual([isa, threads]);
        const obs = observation(40);
        expectClose(session.runSync({ obs })['action'], expectedAction(obs));
        session.release();
      }
    }
  });
});

describe('values at the edge of float32', () => {
  it('denormal feeds and weights are zeros, and JavaScript keeps its own', async () => {
    const graph = policyGraph();
    const tiny = fromNumbers('float32', [12, 48], new Array<number>(12 * 48).fill(1e-40));
    const session = await InferenceSession.create(
      exportOnnx({ ...graph, constants: new Map([['weight', tiny]]) }),
    );
    const obs = new Tensor('float32', new Float32Array(48).fill(1e38), [1, 48]);
    expect(session.runSync({ obs })['action']?.data).toEqual(new Float32Array(12));
    const denormal = new Tensor('float32', new Float32Array(48).fill(1e-40), [1, 48]);
    const plain = await InferenceSession.create(policyModel());
    expect(plain.runSync({ obs: denormal })['action']?.data).toEqual(new Float32Array(12));
    const minimum = Number.MIN_VALUE;
    expect([
      minimum > 0,
      minimum * 2 > minimum,
      (minimum * 4) / 2 === minimum * 2,
      Math.fround(1e-40) > 0,
    ]).toEqual([true, true, true, true]);
    session.release();
    plain.release();
  });

  it('NaN in one row stays in that row', async () => {
    const session = await InferenceSession.create(policyModel(), { threads: 2 });
    const obs = observation(20);
    const expected = expectedAction(obs);
    obs.data[5 * 48 + 7] = Number.NaN;
    const action = session.runSync({ obs })['action']?.data as Float32Array;
    const rows = Array.from({ length: 20 }, (_, row) => action.slice(row * 12, row * 12 + 12));
    expect(rows.map((row) => row.some(Number.isNaN))).toEqual(rows.map((_, row) => row === 5));
    action.forEach((value, i) => {
      if (Math.floor(i / 12) !== 5) expect(Math.abs(value - (expected[i] ?? 0))).toBeLessThan(1e-4);
    });
    session.release();
  });
});

describe('the end of a session', () => {
  it('may come from inside a run’s own answer, and twice', async () => {
    const session = await InferenceSession.create(policyModel(), { threads: 2 });
    const runs = Array.from({ length: 20 }, () =>
      session.run({ obs: observation() }).then(() => session.release()),
    );
    const settled = await Promise.allSettled(runs);
    expect(settled[0]?.status).toBe('fulfilled');
    for (const result of settled) {
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ code: 'ERR_ESPALIER_RELEASED' });
    }
    session.release();
    await expectError(() => session.explain({ obs: observation() }), 'ERR_ESPALIER_RELEASED', /released/);
    await expectError(() => session.profile({ obs: observation() }), 'ERR_ESPALIER_RELEASED', /released/);
  });
});

describe('a process', () => {
  it('fails with its own error though runs are under way', () => {
    const { status, signal, stderr } = runScript(`
      const session = await InferenceSession.create(models.slow, { threads: 2 });
      for (let i = 0; i < 4; i++) session.run(slowFeed());
      setTimeout(() => { throw new Error('of the caller'); }, 20);`);
    expect([status, signal]).toEqual([1, null]);
    expect(stderr).toMatch(/of the caller/);
  });

  it('exits from a worker, with and without release during runs', () => {
    const { status, stdout, stderr } = runScript(`
      import { Worker } from 'node:worker_threads';
      const code = \`
        import { workerData } from 'node:worker_threads';
        const { InferenceSession, Tensor } = await import(workerData.url);
        const session = await InferenceSession.create(workerData.model, { threads: 2 });
        const feeds = { x: new Tensor('float32', new Float32Array(64 * 128 * 128), [1, 64, 128, 128]) };
        for (let i = 0; i < 3; i++) session.run(feeds).catch(() => {});
        if (workerData.release) session.release();
        setTimeout(() => process.exit(5), 10);
      \`;
      const exits = [false, true, false].map((release) => new Promise((resolve) => {
        new Worker(new URL('data:text/javascript,' + encodeURIComponent(code)), {
          workerData: { url: ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}, model: models.slow, release },
        }).on('exit', resolve);
      }));
      console.log((await Promise.all(exits)).join());`);
    expect([status, stdout, stderr]).toEqual([0, '5,5,5\n', '']);
  });

  it('may end workers at any moment of their runs', () => {
    const { status, signal, stdout, stderr } = runScript(`
      import { Worker } from 'node:worker_threads';
      const code = \`
        import { workerData, parentPort } from 'node:worker_threads';
        const { InferenceSession, Tensor } = await import(workerData.url);
        const session = await InferenceSession.create(workerData.model, { threads: 1 });
        const obs = new Tensor('float32', new Float32Array(48), [1, 48]);
        parentPort.postMessage('started');
        for (;;) { session.run({ obs }); session.runSync({ obs }); await session.run({ obs }); }
      \`;
      const ends = Array.from({ length: 12 }, (_, i) => new Promise((resolve) => {
        const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(code)), {
          workerData: { url: ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}, model: models.policy },
        });
        worker.once('message', () => setTimeout(() => resolve(worker.terminate()), i));
      }));
      console.log((await Promise.all(ends)).join());`);
    expect([status, signal, stderr]).toEqual([0, null, '']);
    expect(stdout).toBe(`${new Array(12).fill(1).join()}\n`);
  });
});
