import type { Command } from 'commander';
import { EspalierError } from '../errors.js';
import { inspectGraph, type LayerReport, type ModelReport } from '../evaluate/inspect.js';
import { inspectEsp } from '../evaluate/inspect_esp.js';
import { inspectTensors, type TensorsReport } from '../evaluate/inspect_tensors.js';
import { type OnnxStorage, readOnnxStorage } from '../formats/onnx/index.js';
import type { Graph, ValueInfo } from '../graph/graph.js';
import { historyOf, parseHistory } from '../graph/history.js';
import { assertSupported } from '../graph/supported.js';
import { bytes, count, dims, percent, printable, shortCount, table } from '../text.js';
import { openInput, readContent } from './input.js';
import { describeCompiled, describeHistory, packedTable } from './inspect_esp.js';
import { type Io, print } from './io.js';

export function addInspect(program: Command, io: Io): void {
  program
    .command('inspect')
    .description('show inputs, outputs, operators, parameters, and the zeros of each layer or tensor')
    .argument('<file>', 'an ONNX model, a compiled one, or tensors: safetensors, its index, .npz, .npy')
    .option('--verify', 'check all of a compiled model against its hashes')
    .option('--json', 'print JSON')
    .action(async (file: string, { json, verify = false }: { json?: boolean; verify?: boolean }) => {
      const input = await openInput(file);
      const compiled = await inspectEsp(input.bytes ?? file, verify);
      if (compiled !== undefined) {
        const report = { ...compiled, unsupported: null };
        print(io, json, report, () =>
          [describe(file, report, describeCompiled(report.compiled)), '', packedTable(report.compiled)].join(
            '\n',
          ),
        );
        return;
      }
      if (verify)
        throw new EspalierError(
          'ERR_ESPALIER_ARGUMENT',
          `Expected a compiled model for --verify, got ${file}`,
        );
      const content = await readContent(input);
      if (content.format === 'onnx') {
        const storage = await readOnnxStorage(input.bytes ?? file);
        const { graph } = content;
        const history = parseHistory(historyOf(graph));
        const report = { ...inspectGraph(graph), storage, history, unsupported: unsupported(graph) };
        print(io, json, report, () =>
          describe(file, report, [...describeStorage(storage), ...describeHistory(history)]),
        );
      } else {
        const { format, metadata } = content;
        const report = { format, metadata, ...inspectTensors(content.tensors) };
        print(io, json, report, () => describeTensors(file, report));
      }
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

function describe(
  model: string,
  report: ModelReport & { readonly unsupported: string | null },
  more: readonly string[] = [],
): string {
  const { opsets, inputs, outputs, operators, parameters, layers } = report;
  const lines = [
    `model       ${model}`,
    ...more,
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

function describeStorage({ external, sparse }: OnnxStorage): string[] {
  const files = external.map(({ file, constants }) => `external    ${constants} constants in ${file}`);
  return sparse === 0 ? files : [...files, `sparse      ${sparse} constants as values and positions`];
}

function describeTensors(
  file: string,
  report: TensorsReport & { readonly format: string; readonly metadata: Readonly<Record<string, string>> },
): string {
  const lines = [
    `file        ${file}`,
    `format      ${report.format}`,
    ...Object.entries(report.metadata).map(([key, text]) => `metadata    ${key}: ${shorten(text)}`),
    `parameters  ${count(report.elements)} in ${report.count} tensors, ${bytes(report.bytes)}`,
  ];
  const rows = report.tensors.map((tensor) => [
    tensor.name,
    tensor.type,
    dims(tensor.dims),
    shortCount(tensor.elements),
    percent(tensor.sparsity),
  ]);
  const header = ['tensor', 'type', 'dims', 'elements', 'zeros'];
  return [...lines.map(printable), '', table(header, rows, ['elements', 'zeros'])].join('\n');
}

function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}...`;
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
