// node process.mjs ENGINE MODEL: opens a model, runs it twice and prints a LoadTrial; see trial.mjs.
import { readFileSync } from 'node:fs';

const dims = [1, 3, 224, 224];
const [engine = '', model = ''] = process.argv.slice(2);
const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1)).map((_, i) => Math.sin(i));

/** Bytes of a line such as "VmRSS:  123 kB". @param {string} text @param {string} key */
function bytesOf(text, key) {
  const lines = [...text.matchAll(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'gm'))];
  return lines.reduce((sum, [, kilobytes]) => sum + Number(kilobytes) * 1024, 0);
}

const resident = () => bytesOf(readFileSync('/proc/self/status', 'utf8'), 'VmRSS');

/** The entries of /proc/self/smaps that map the model, as text. */
function mappings() {
  const entries = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  return entries.filter((entry) => entry.split('\n', 1)[0]?.endsWith(model)).join('');
}

/** Gives what creates a session, which gives what runs it. @returns {Promise<() => Promise<() => any>>} */
async function importEngine() {
  const { InferenceSession, Tensor } = await import(
    engine === 'espalier' ? '../../../dist/index.js' : 'onnxruntime-node'
  );
  const options = engine === 'espalier' ? { threads: 1 } : { intraOpNumThreads: 1, interOpNumThreads: 1 };
  return async () => {
    const session = await InferenceSession.create(model, options);
    const feeds = { image: new Tensor('float32', data, dims) };
    // What a caller of each would write: onnxruntime-node has no run that blocks.
    return () => (engine === 'espalier' ? session.runSync(feeds) : session.run(feeds));
  };
}

const create = await importEngine();
const before = resident();
const times = [performance.now()];
const run = await create();
times.push(performance.now());
const { scores } = await run();
times.push(performance.now());
const after = resident();
const mapped = mappings();
const between = performance.now();
await run();
const [start = 0, created = 0, done = 0] = times;
process.stdout.write(
  JSON.stringify({
    created: created - start,
    ran: done - created,
    again: performance.now() - between,
    fromStart: done,
    resident: after - before,
    mappedResident: bytesOf(mapped, 'Rss'),
    mappedShare: bytesOf(mapped, 'Pss'),
    output: [...scores.data],
  }),
);
