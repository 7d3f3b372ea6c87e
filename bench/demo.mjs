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
import { tolerance } from './lib/compare.mjs';
import { compareFile } from './lib/compare-file.mjs';
import { conclude, formatTable } from './lib/demo-report.mjs';
import { makeImage } from './lib/image.mjs';
import { describeMachine } from './lib/machine.mjs';
import { modelPath, selectModels } from './lib/models.mjs';
import { nonZeroBytes, readOnnx, writePruned } from './lib/pruned.mjs';
import { timeAlternating } from './lib/timing.mjs';

/** @import { Graph } from '../dist/graph/graph.js' */
/** @import { BenchModel } from './lib/models.mjs' */
/** @import { EngineProcess, Timing } from './lib/timing.mjs' */

/**
 * One engine on one file.
 * @typedef {object} DemoRow
 * @property {'onnxruntime dense' | 'espalier dense' | 'espalier 16x1' | 'espalier unstructured'} variant
 * @property {number} nonZeroBytes bytes of the weights that are not zero
 * @property {number} fileBytes
 * @property {number} error largest error against onnxruntime on the same file
 * @property {readonly string[]} undetermined outputs compared by what goes into them: see judge.mjs
 * @property {Timing} timing
 *
 * @typedef {{ id: string, title: string, task: string, dims: readonly number[], rows: DemoRow[] }} DemoResult
 */

const sparsity = 0.8;
const patterns = /** @type {const} */ (['16x1', 'unstructured']);

/**
 * One file to run: the model itself or a pruned copy.
 * @typedef {{ name: 'dense' | (typeof patterns)[number], path: string, graph: Graph }} DemoFile
 */

/**
 * @param {string} source
 * @param {string} prefix where the pruned copies go
 * @returns {Promise<DemoFile[]>}
 */
async function prepareFiles(source, prefix) {
  const graph = await readOnnx(source);
  /** @type {DemoFile[]} */
  const files = [{ name: 'dense', path: source, graph }];
  for (const pattern of patterns) {
    const path = `${prefix}-${pattern}.onnx`;
    files.push({ name: pattern, path, graph: await writePruned(graph, { sparsity, pattern, path }) });
  }
  return files;
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
    for (const file of files) {
      const title = `${model.title}, espalier ${file.name}`;
      const compared = { ...file, title, probe: model.probe };
      const { reference, ours, error, undetermined } = await compareFile(compared, feeds);
      const sizes = { nonZeroBytes: nonZeroBytes(file.graph), fileBytes: (await stat(file.path)).size };
      if (file.name === 'dense') {
        timed.push(reference);
        rows.push({ variant: 'onnxruntime dense', ...sizes, error: 0, undetermined: [] });
      } else {
        await reference.stop();
      }
      timed.push(ours);
      rows.push({ variant: `espalier ${file.name}`, ...sizes, error, undetermined });
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
      rounds: { type: 'string', default: '5' },
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
