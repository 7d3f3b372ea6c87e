// How much of a network that reads text is left after pruning without training: lines of text in pictures that it reads
// exactly right, of 100 that no method saw. Other lines are the calibration data.
//
//   npm run bench:ocr-quality                                   every row of the table: half an hour on two cores
//   npm run bench:ocr-quality -- --only dense,magnitude-unstructured-50
//   npm run bench:ocr-quality -- --json bench/results/ocr-quality.json && node bench/report.mjs
//
// With --json, rows of a file that is there already stay, unless they are measured again: each says its commit and day.
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { distance } from 'fastest-levenshtein';
import { pruneCalibrated } from '../dist/calibrate/index.js';
import { readOnnx } from '../dist/formats/onnx/index.js';
import { InferenceSession, Tensor } from '../dist/index.js';
import { describeMachine } from './lib/machine.mjs';
import { modelPath, selectModels } from './lib/models.mjs';
import { ocrMarkdown } from './lib/ocr/markdown.mjs';
import { qualityRows } from './lib/ocr/rows.mjs';
import { decodeText, lineDims, makeLines } from './lib/ocr/text-lines.mjs';

/** @import { Graph } from '../dist/graph/graph.js' */
/** @import { OcrResult } from './lib/ocr/markdown.mjs' */

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    samples: { type: 'string', default: '64' },
    threads: { type: 'string', default: String(availableParallelism()) },
    json: { type: 'string' },
  },
});
const ids = values.only?.split(',') ?? qualityRows.map(({ id }) => id);
const unknown = ids.find((id) => !qualityRows.some((row) => row.id === id));
if (unknown !== undefined)
  throw new Error(`Expected rows of ${qualityRows.map(({ id }) => id).join(', ')}, got ${unknown}`);
const [samples, threads] = [Number(values.samples), Number(values.threads)];

const [model] = selectModels(['ocr-rec']);
if (model === undefined) throw new Error('Expected the model ocr-rec');
const graph = await readOnnx(modelPath(model));
/** @param {Float32Array} data */
const feedsOf = (data) => ({ [model.input]: new Tensor('float32', data, lineDims) });
const calibration = makeLines({ count: samples, seed: 1 }).map(({ data }) => feedsOf(data));
const lines = makeLines({ count: 100, seed: 2 });

/** Lines that a network reads exactly right, and the letters it gets wrong. @param {Graph} network */
function read(network) {
  const session = InferenceSession.fromGraph(network, { threads });
  let exact = 0;
  let errors = 0;
  let letters = 0;
  for (const { text, data } of lines) {
    const output = Object.values(session.runSync(feedsOf(data)))[0];
    const got = decodeText(/** @type {Float32Array} */ (output?.data), output?.dims.at(-1) ?? 0);
    if (got === text) exact++;
    errors += distance(got, text);
    letters += text.length;
  }
  session.release();
  return { exact, lines: lines.length, letterErrors: errors, letters };
}

/** @type {OcrResult[]} */
const earlier =
  values.json !== undefined && existsSync(values.json)
    ? JSON.parse(await readFile(values.json, 'utf8')).rows
    : [];
const results = new Map(earlier.map((result) => [result.id, result]));
const machine = describeMachine();
for (const { options, ...row } of qualityRows.filter(({ id }) => ids.includes(id))) {
  const start = performance.now();
  const network =
    options === undefined
      ? graph
      : (await pruneCalibrated(graph, calibration, { ...options, threads })).graph;
  const seconds = Math.round((performance.now() - start) / 1000);
  const { commit, changed, date } = machine;
  results.set(row.id, { ...row, ...read(network), samples, seconds, commit, changed, date });
  console.error(`${row.id}: ${results.get(row.id)?.exact} of ${lines.length} in ${seconds} s`);
  if (values.json === undefined) continue;
  const rows = qualityRows.flatMap(({ id }) => results.get(id) ?? []);
  await writeFile(values.json, `${JSON.stringify({ machine, rows }, null, 2)}\n`);
}
console.log(ocrMarkdown({ machine, rows: qualityRows.flatMap(({ id }) => results.get(id) ?? []) }));
