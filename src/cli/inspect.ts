import type { Command } from 'commander';
import { EspalierError } from '../errors.js';
import { inspectGraph, type LayerReport, type ModelReport } from '../evaluate/inspect.js';
import { readOnnx } from '../formats/onnx/index.js';
import type { Graph, ValueInfo } from '../graph/graph.js';
import { assertSupported } from '../graph/supported.js';
import { bytes, count, dims, percent, printable, shortCount, table } from '../text.js';
import { type Io, print } from './io.js';

export function addInspect(program: Command, io: Io): void {
  program
    .command('inspect')
    .description('show inputs, outputs, operators, parameters, and the zeros of each layer')
    .argument('<model>', 'an ONNX model')
    .option('--json', 'print JSON')
    .action(async (model: string, { json }: { json?: boolean }) => {
      const graph = await readOnnx(model);
      const report = { ...inspectGraph(graph), unsupported: unsupported(graph) };
      print(io, json, report, () => describe(model, report));
    });
}

/** What keeps the model from running, or null. */
function unsupported(graph: Graph): string | null {
  try {
    assertSupported(graph);
    return null;
  } catch (error) {
    if (error instanceof EspalierError && error.code === 'ERR_ESPALIER_UNSUPPORTED') return error.message;
    throw error;
  }
}

function describe(model: string, report: ModelReport & { readonly unsupported: string | null }): string {
  const { opsets, inputs, outputs, operators, parameters, layers } = report;
  const lines = [
    `model       ${model}`,
    `opset       ${Object.entries(opsets)
      .map(([domain, version]) => (domain === '' ? String(version) : `${domain} ${version}`))
      .join(', ')}`,
    ...values('inputs', inputs),
    ...values('outputs', outputs),
    `parameters  ${count(parameters.count)} in ${parameters.constants} constants, ${bytes(parameters.bytes)}`,
    `operators   ${Object.entries(operators)
      .map(([op, nodes]) => `${op} ${nodes}`)
      .join(', ')}`,
    ...(report.unsupported === null ? [] : [`unsupported ${report.unsupported}`]),
  ];
  return [...lines.map(printable), ...(layers.length === 0 ? [] : ['', layerTable(layers)])].join('\n');
}

function values(title: string, infos: readonly ValueInfo[]): string[] {
  return infos.map(
    (info, i) => `${(i === 0 ? title : '').padEnd(11)} ${info.name}: ${info.type} ${dims(info.dims)}`,
  );
}

function layerTable(layers: readonly LayerReport[]): string {
  const header = ['layer', 'op', 'shape', 'weights', 'sparsity', '16x1', '8x1', '4x1', 'pattern'];
  const rows = layers.map(({ name, op, shape, weights, sparsity, blockSparsity, pattern }) => [
    name,
    op,
    dims(shape),
    shortCount(weights),
    percent(sparsity),
    percent(blockSparsity['16x1']),
    percent(blockSparsity['8x1']),
    percent(blockSparsity['4x1']),
    pattern,
  ]);
  return table(header, rows, ['weights', 'sparsity', '16x1', '8x1', '4x1']);
}
