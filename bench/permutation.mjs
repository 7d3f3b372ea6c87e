// What an order of channels keeps: the share of all magnitudes that stays at 80 % in 16x1 and 4x1 blocks, with the
// channels of each network as they are and in the order that planPermutation finds.
//
//   node bench/permutation.mjs --json bench/results/permutation.json && node bench/report.mjs
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { readOnnx } from '../dist/formats/onnx/index.js';
import { planPermutation } from '../dist/prune/index.js';
import { describeMachine } from './lib/machine.mjs';
import { modelPath, selectModels } from './lib/models.mjs';
import { permutationMarkdown } from './lib/permutation-markdown.mjs';

const { values } = parseArgs({ options: { models: { type: 'string' }, json: { type: 'string' } } });
const rows = [];
for (const model of selectModels(values.models?.split(','))) {
  const graph = await readOnnx(modelPath(model));
  for (const pattern of /** @type {const} */ (['16x1', '4x1'])) {
    const plan = planPermutation(graph, { pattern, sparsity: 0.8, shapes: { [model.input]: model.dims } });
    rows.push({ model: model.id, title: model.title, pattern, groups: plan.groups.length, ...plan.kept });
    console.error(`${model.id} ${pattern}`);
  }
}
const results = { machine: describeMachine(), sparsity: 0.8, rows };
console.log(permutationMarkdown(results));
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`);
