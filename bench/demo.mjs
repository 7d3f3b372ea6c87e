// npm run demo: real networks, dense and pruned, on espalier and on onnxruntime, one thread each.
// Outputs are compared before anything is timed; the demo fails when one is further than 1e-4 from onnxruntime's.
//
//   npm run demo -- --models ocr-rec,mlsd-tiny   only these networks
//   npm run demo -- --rounds 3                   fewer rounds of timing
//   npm run demo -- --json bench/results/demo.json
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { largestError, tolerance } from './lib/compare.mjs';
import { conclude, formatTable } from './lib/demo-report.mjs';
import { makeImage } from './lib/image.mjs';
import { describeMachine } from './lib/machine.mjs';
import { modelPath, selectModels } from './lib/models.mjs';
import { nonZeroBytes, readOnnx, writePruned } from './lib/pruned.mjs';
import { startEngine, timeAlternating } from './lib/timing.mjs';

/** @import { BenchModel } from './lib/models.mjs' */
/** @import { EngineProcess, Timing } from './lib/timing.mjs' */

/**
 * One engine on one file.
 * @typedef {object} DemoRow
 * @property {'onnxruntime dense' | 'espalier dense' | 'espalier 16x1' | 'espalier unstructured'} variant
 * @property {number} nonZeroBytes bytes of the weights that are not zero
 * @property {number} fileBytes
 * @property {number} error largest error against onnxruntime on the same file
 * @property {Timing} timing
 *
 * @typedef {{ id: string, title: string, task: string, dims: readonly number[], rows: DemoRow[] }} DemoResult
 */

const sparsity = 0.8;
const patterns = /** @type {const} */ (['16x1', 'unstructured']);

/**
 * The files to run: the model itself, and a pruned copy for each pattern.
 * @param {string} source
 * @param {string} prefix where the pruned copies go
 */
async function prepareFiles(source, prefix) {
  const graph = await readOnnx(source);
  const files = [{ name: /** @type {const} */ ('dense'), path: source, nonZeroBytes: nonZeroBytes(graph) }];
  const prunedFiles = [];
  for (const pattern of patterns) {
    const path = `${prefix}-${pattern}.onnx`;
    const pruned = await writePruned(graph, { sparsity, pattern, path });
    prunedFiles.push({ name: pattern, path, nonZeroBytes: nonZeroBytes(pruned) });
  }
  return [...files, ...prunedFiles];
}

/**
 * @param {BenchModel} model
 * @param {{ directory: string, rounds: number, advance: () => void }} options
 * @returns {Promise<DemoResult>}
 */
async function runModel(model, { directory, rounds, advance }) {
  const feeds = { [model.input]: makeImage(model, model.dims) };
  const files = await prepareFiles(modelPath(model), join(directory, model.id));
  /** @type {EngineProcess[]} */
  const timed = [];
  /** @type {Omit<DemoRow, 'timing'>[]} */
  const rows = [];
  try {
    for (const { name, path, nonZeroBytes } of files) {
      const expected = await startEngine({ engine: 'onnxruntime', model: path }, feeds);
      const { size: fileBytes } = await stat(path);
      if (name === 'dense') {
        timed.push(expected);
        rows.push({ variant: 'onnxruntime dense', nonZeroBytes, fileBytes, error: 0 });
      } else {
        await expected.stop();
      }
      const actual = await startEngine({ engine: 'espalier', model: path }, feeds);
      timed.push(actual);
      const error = largestError(expected.outputs, actual.outputs);
      if (!(error <= tolerance)) {
        throw new Error(
          `${model.title}, espalier ${name}: expected outputs within ${tolerance} of onnxruntime's, got ${error}`,
        );
      }
      rows.push({ variant: `espalier ${name}`, nonZeroBytes, fileBytes, error });
    }
    const timings = await timeAlternating(timed, { rounds, milliseconds: 200, onRound: advance });
    const timedRows = rows.map((row, i) => ({ ...row, timing: /** @type {Timing} */ (timings[i]) }));
    return { id: model.id, title: model.title, task: model.task, dims: model.dims, rows: timedRows };
  } finally {
    await Promise.all(timed.map((engine) => engine.stop()));
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      models: { type: 'string' },
      rounds: { type: 'string', default: '7' },
      json: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`Expected --rounds of 1 or more, got ${values.rounds}`);
  const models = selectModels(values.models?.split(','));
  const machine = describeMachine();
  const directory = await mkdtemp(join(tmpdir(), 'espalier-demo-'));
  const bar = new SingleBar({ format: '{bar} {title}', stream: process.stderr, noTTYOutput: false });
  /** @type {DemoResult[]} */
  const results = [];
  try {
    if (process.stderr.isTTY) bar.start(models.length * rounds, 0, { title: '' });
    for (const model of models) {
      bar.update({ title: model.title });
      results.push(await runModel(model, { directory, rounds, advance: () => bar.increment() }));
    }
  } finally {
    bar.stop();
    await rm(directory, { recursive: true, force: true });
  }
  console.log(formatTable(results));
  console.log(
    `${machine.cpu}, ${machine.isa.join(' ')}; one thread; Node ${machine.node}; onnxruntime ${machine.onnxruntime}`,
  );
  console.log(conclude(results, sparsity));
  if (values.json !== undefined) {
    await writeFile(
      values.json,
      `${JSON.stringify({ bench: 'demo', sparsity, tolerance, machine, results }, null, 2)}\n`,
    );
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
