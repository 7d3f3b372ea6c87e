import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { compileModel } from '../../src/esp/index.js';
import { GraphBuilder } from '../../src/graph/index.js';

/** A compiled model of more than 4 MiB, so that it is mapped. */
function writeModel(file: string): void {
  const b = new GraphBuilder('mapped');
  const values = new Float32Array(1024 * 1536).map((_, i) => Math.sin(i) / 32);
  b.output('y', b.node('MatMul', [b.input('x', [1, 1024]), b.constant([1024, 1536], values)]));
  writeFileSync(file, Buffer.concat(compileModel(b.build()).parts));
}

test.runIf(process.platform === 'linux')('sessions of several workers map one file once', () => {
  const file = path.join(tmpdir(), `espalier-workers-${process.pid}.esp`);
  writeModel(file);
  try {
    const script = `
      import { readFileSync } from 'node:fs';
      import { Worker } from 'node:worker_threads';
      const code = \`
        import { parentPort, workerData } from 'node:worker_threads';
        const { InferenceSession, Tensor } = await import(workerData.url);
        const session = await InferenceSession.create(workerData.model, { threads: 1 });
        const { y } = session.runSync({ x: new Tensor('float32', new Float32Array(1024).fill(1), [1, 1024]) });
        parentPort.once('message', () => session.release());
        parentPort.postMessage(y.data.slice(0, 8).join());
      \`;
      const workerData = { url: ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}, model: ${JSON.stringify(file)} };
      const start = () => new Worker(new URL('data:text/javascript,' + encodeURIComponent(code)), { workerData });
      const message = (worker) => new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
      const mappings = () => readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.endsWith(workerData.model)).length;
      const before = mappings();
      const workers = [start(), start()];
      const answers = await Promise.all(workers.map(message)); // both hold their session
      const while_ = mappings();
      const ended = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
      for (const worker of workers) worker.postMessage('end');
      await Promise.all(ended);
      console.log(JSON.stringify({ before, while_, after: mappings(), same: answers[0] === answers[1] && answers[0] !== '' }));`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toEqual({ before: 0, while_: 1, after: 0, same: true });
  } finally {
    rmSync(file, { force: true });
  }
});

test.runIf(process.platform === 'linux')(
  'a session that is released leaves neither a mapping nor bytes',
  () => {
    const file = path.join(tmpdir(), `espalier-released-${process.pid}.esp`);
    writeModel(file);
    try {
      const script = `
      import { readFileSync } from 'node:fs';
      const { InferenceSession } = await import(${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)});
      const file = ${JSON.stringify(file)};
      const bytes = readFileSync(file);
      const openTimes = async (times, model, options) => {
        for (let i = 0; i < times; i++) (await InferenceSession.create(model, { threads: 1, ...options })).release();
        return process.memoryUsage().rss;
      };
      await openTimes(1, file);
      const mappings = readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.endsWith(file)).length;
      const growth = [];
      for (const [model, options] of [[bytes, {}], [file, { mapFile: false }]])
        growth.push(-(await openTimes(4, model, options)) + (await openTimes(16, model, options)));
      console.log(JSON.stringify([mappings, ...growth.map((size) => size / bytes.length < 8)]));`;
      const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
        encoding: 'utf8',
      });
      expect([stdout.trim(), stderr]).toEqual(['[0,true,true]', '']);
    } finally {
      rmSync(file);
    }
  },
);
