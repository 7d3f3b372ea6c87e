import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { InferenceSession, Tensor } from '../../src/index.js';
import {
  expectClose,
  expectError,
  expectedAction,
  observation,
  policyModel,
  runScript,
  slowFeed,
  slowModel,
} from './support.js';

describe('runs of one session', () => {
  it('say what the model takes and gives', async () => {
    const session = await InferenceSession.create(policyModel(), { threads: 1, isa: 'scalar' });
    expect(session.inputNames).toEqual(['obs']);
    expect(session.outputNames).toEqual(['action']);
    expect(session.inputMetadata).toEqual([{ name: 'obs', type: 'float32', dims: ['batch', 48] }]);
    expect(session.outputMetadata).toEqual([{ name: 'action', type: 'float32', dims: ['batch', 12] }]);
    expect([session.isa, session.threads]).toEqual(['scalar', 1]);
    session.release();
  });

  it('agree, by runSync and by run', async () => {
    const session = await InferenceSession.create(policyModel());
    for (const batch of [1, 2, 7, 16, 33]) {
      const obs = observation(batch);
      const expected = expectedAction(obs);
      expectClose(session.runSync({ obs })['action'], expected);
      expectClose((await session.run({ obs }))['action'], expected);
    }
    session.release();
  });

  it('may overlap, and take feeds that change at once', async () => {
    const session = await InferenceSession.create(policyModel(), { threads: 2 });
    const runs = Array.from({ length: 100 }, (_, seed) => {
      const obs = observation(1 + (seed % 3), seed);
      const expected = expectedAction(obs);
      const outputs = session.run({ obs });
      obs.data.fill(Number.NaN);
      return { outputs, expected };
    });
    const between = observation(1, 5);
    expectClose(session.runSync({ obs: between })['action'], expectedAction(between));
    for (const { outputs, expected } of runs) expectClose((await outputs)['action'], expected);
    session.release();
  });

  it('read shared memory and views at any element', async () => {
    const session = await InferenceSession.create(policyModel(), { threads: 1 });
    const expected = expectedAction(observation());
    const shared = new Float32Array(new SharedArrayBuffer(48 * 4));
    shared.set(observation().data);
    const view = new Float32Array(new ArrayBuffer(60 * 4), 4 * 7, 48);
    view.set(observation().data);
    for (const data of [shared, view]) {
      const obs = new Tensor('float32', data, [1, 48]);
      expectClose(session.runSync({ obs })['action'], expected);
      expectClose((await session.run({ obs }))['action'], expected);
    }
    session.release();
  });

  it('leave the event loop free', async () => {
    const session = await InferenceSession.create(slowModel(), { threads: 1 });
    const events: string[] = [];
    const timer = wait(1).then(() => events.push('timer'));
    await session.run(slowFeed()).then(() => events.push('run'));
    await timer;
    expect(events).toEqual(['timer', 'run']);
    session.release();
  });

  it('keep plans of more shapes than they remember', async () => {
    const session = await InferenceSession.create(policyModel(), { threads: 1 });
    for (const batch of [...Array.from({ length: 40 }, (_, i) => i + 1), 1, 40, 3]) {
      const obs = observation(batch);
      expectClose(session.runSync({ obs })['action'], expectedAction(obs));
    }
    session.release();
  });

  it('leave denormal numbers of JavaScript alone', async () => {
    const session = await InferenceSession.create(policyModel(), { threads: 1 });
    session.runSync({ obs: observation() });
    expect(Number.MIN_VALUE * 3).toBeGreaterThan(Number.MIN_VALUE);
    expect(2 ** -1040 / 2).toBeGreaterThan(0);
    session.release();
  });
});

describe('the end of a session', () => {
  it('rejects runs that have not ended', async () => {
    const session = await InferenceSession.create(slowModel(), { threads: 2 });
    const feeds = slowFeed();
    const settled = Promise.allSettled(Array.from({ length: 40 }, () => session.run(feeds)));
    session.release();
    const codes = (await settled).map((result) =>
      result.status === 'rejected' ? result.reason.code : 'done',
    );
    const first = codes.indexOf('ERR_ESPALIER_RELEASED');
    expect(first).toBeGreaterThanOrEqual(0); // 40 runs take longer than it takes to ask for them
    expect(new Set(codes.slice(first))).toEqual(new Set(['ERR_ESPALIER_RELEASED']));
    await expectError(() => session.run(slowFeed()), 'ERR_ESPALIER_RELEASED', /released/);
  });

  it('comes with Symbol.dispose, and leaves others alone', async () => {
    const [first, second] = [
      await InferenceSession.create(policyModel()),
      await InferenceSession.create(policyModel()),
    ];
    first[Symbol.dispose]();
    await expectError(() => first.runSync({ obs: observation() }), 'ERR_ESPALIER_RELEASED', /released/);
    expectClose(second.runSync({ obs: observation() })['action'], expectedAction(observation()));
    second.release();
  });
});

describe('a process', () => {
  it('ends by itself though sessions were not released', () => {
    const { status, stdout } = runScript(`
      const session = await InferenceSession.create(models.policy, { threads: 2 });
      await session.run({ obs: observation });
      session.runSync({ obs: observation });
      console.log('done');`);
    expect([status, stdout]).toEqual([0, 'done\n']);
  });

  it('waits for a run that nothing else waits for', () => {
    const { status, stdout } = runScript(`
      const session = await InferenceSession.create(models.slow, { threads: 1 });
      session.run(slowFeed()).then(() => console.log('ended'));`);
    expect([status, stdout]).toEqual([0, 'ended\n']);
  });

  it('may exit during runs', () => {
    const { status, stderr } = runScript(`
      const session = await InferenceSession.create(models.slow, { threads: 2 });
      for (let i = 0; i < 4; i++) session.run(slowFeed());
      setTimeout(() => process.exit(7), 20);`);
    expect([status, stderr]).toEqual([7, '']);
  });

  it('may drop sessions to the garbage collector, with and without runs', () => {
    const { status, stdout, stderr } = runScript(
      `
      for (let i = 0; i < 30; i++) {
        const session = await InferenceSession.create(models.policy, { threads: 2 });
        if (i % 3 === 0) await session.run({ obs: observation });
        else if (i % 3 === 1) session.run({ obs: observation });
      }
      for (let i = 0; i < 10; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
      console.log('done');`,
      ['--expose-gc'],
    );
    expect([status, stdout, stderr]).toEqual([0, 'done\n', '']);
  });

  it('runs sessions in several workers, some of them ended during a run', () => {
    const { status, stdout, stderr } = runScript(`
      import { Worker } from 'node:worker_threads';
      const code = \`
        import { workerData, parentPort } from 'node:worker_threads';
        const { InferenceSession, Tensor } = await import(workerData.url);
        const session = await InferenceSession.create(workerData.model, { threads: 2 });
        const feeds = workerData.slow
          ? { x: new Tensor('float32', new Float32Array(64 * 128 * 128), [1, 64, 128, 128]) }
          : { obs: new Tensor('float32', new Float32Array(48).fill(0.5), [1, 48]) };
        if (workerData.slow) { parentPort.postMessage('started'); for (;;) await session.run(feeds); }
        for (let i = 0; i < 50; i++) { session.runSync(feeds); await session.run(feeds); }
        parentPort.postMessage([...(await session.run(feeds)).action.data].join());
      \`;
      const start = (model, slow) => new Worker(new URL('data:text/javascript,' + encodeURIComponent(code)), {
        workerData: { url: ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}, model, slow },
      });
      const session = await InferenceSession.create(models.policy, { threads: 1 });
      const expected = [...session.runSync({ obs: observation }).action.data].join();
      const message = (worker) => new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
      const slow = [start(models.slow, true), start(models.slow, true)];
      const quick = [1, 2, 3].map(() => message(start(models.policy, false))); // listens before they answer
      await Promise.all(slow.map(message));
      const ends = slow.map((worker) => worker.terminate());
      const answers = await Promise.all(quick);
      await Promise.all(ends);
      console.log(answers.every((answer) => answer === expected));`);
    expect([status, stdout, stderr]).toEqual([0, 'true\n', '']);
  });

  it('does not grow over many runs', () => {
    const { status, stdout } = runScript(
      `
      const session = await InferenceSession.create(models.policy, { threads: 1 });
      const feeds = { obs: new Tensor('float32', new Float32Array(48 * 64), [64, 48]) };
      const round = async () => {
        for (let i = 0; i < 10000; i++) session.runSync(feeds);
        for (let i = 0; i < 3000; i++) await session.run(feeds);
        gc();
        return process.memoryUsage().rss;
      };
      // A leak shows in every round; a heap that V8 makes larger, in some.
      const sizes = [];
      for (let i = 0; i < 6; i++) sizes.push(await round());
      console.log(Math.min(...sizes.slice(1).map((size, i) => size - sizes[i])) / 2 ** 20);`,
      ['--expose-gc'],
    );
    expect(status).toBe(0);
    // A leak of the output alone, 3 KB in each of 13000 runs, would be 38 MiB.
    expect(Number(stdout)).toBeLessThan(10);
  });
});
