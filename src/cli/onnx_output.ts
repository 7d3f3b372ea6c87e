import path from 'node:path';
import type { Command } from 'commander';
import { exportOnnx, exportOnnxSplit } from '../formats/onnx/index.js';
import { byteCount } from '../graph/data.js';
import type { Graph } from '../graph/graph.js';
import { allGraphs } from '../graph/inner_graphs.js';
import type { FileContents } from './files.js';

export interface OnnxOutputArguments {
  readonly externalData?: boolean;
  readonly sparseInitializers?: boolean;
}

/** Bytes of constants from which a model is two files: protobuf allows 2 GiB, of which some are for the nodes. */
const mostBytes = 2e9;

/** Adds the flags of commands that write ONNX. */
export function addOnnxOutput(command: Command): Command {
  return command
    .option(
      '--external-data',
      'write constants to a file beside the model, <output>.data; done without asking from 2 GB on',
    )
    .option(
      '--sparse-initializers',
      'write constants of more than two thirds zeros as lists of values and positions',
    );
}

/** The file beside a model that holds its constants. */
export function dataFile(output: string): string {
  return `${output}.data`;
}

/** The files of a model, by name; the last one names the others. */
export function onnxFiles(
  graph: Graph,
  output: string,
  { externalData, sparseInitializers }: OnnxOutputArguments,
  most = mostBytes,
): FileContents {
  const options = { sparseInitializers: sparseInitializers === true };
  if (externalData !== true && constantBytes(graph) <= most)
    return new Map([[output, [exportOnnx(graph, options)]]]);
  const file = dataFile(output);
  const { model, data } = exportOnnxSplit(graph, path.basename(file), options);
  if (data.length === 0) return new Map([[output, [model]]]);
  return new Map([
    [file, data],
    [output, [model]],
  ]);
}

function constantBytes(graph: Graph): number {
  let sum = 0;
  for (const { constants } of allGraphs(graph))
    for (const { type, dims } of constants.values()) sum += byteCount(type, dims);
  return sum;
}
