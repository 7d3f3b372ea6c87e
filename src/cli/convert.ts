import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { EspalierError } from '../errors.js';
import { encodeAs, formatOfName } from '../formats/convert.js';
import { type FileContent, tensorsOf } from '../formats/open.js';
import { encodeShards, isShardName } from '../formats/safetensors/index.js';
import { readTensors } from '../formats/tensor_files.js';
import { loadWeights } from '../graph/load_weights.js';
import { type Needs, parseMatcher } from '../options.js';
import { bytes } from '../text.js';
import { outputFile, wholeNumber } from './arguments.js';
import { checkFolder, type FileContents, writeAll } from './files.js';
import { refuseIdleFlags } from './idle.js';
import { openInput, readContent } from './input.js';
import { fileError, type Io, print } from './io.js';
import { addOnnxOutput, type OnnxOutputArguments, onnxFiles } from './onnx_output.js';

interface ConvertArguments extends OnnxOutputArguments {
  readonly weights?: string;
  readonly transposed?: readonly string[];
  readonly ignoreUnknown?: boolean;
  readonly shardBytes?: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** The flags, and the name of the file to write. */
type Asked = Partial<ConvertArguments> & { readonly to: string };

const weights = ['--weights', (asked: Asked) => asked.weights !== undefined] as const;
const onnx = ['an output of .onnx', ({ to }: Asked) => formatOfName(to) === 'onnx'] as const;

const needs: Needs<Asked> = {
  ...{ transposed: weights, ignoreUnknown: weights, externalData: onnx, sparseInitializers: onnx },
  shardBytes: ['an output of .safetensors', ({ to }) => formatOfName(to) === 'safetensors'],
};

export function addConvert(program: Command, io: Io): void {
  const command = addOnnxOutput(program.command('convert'))
    .description('write a model or its tensors in another format: .onnx, .safetensors, .npz, .npy')
    .argument('<input>', 'an ONNX model, a compiled one, or tensors: safetensors, its index, .npz, .npy')
    .argument('<output>', 'the file to write; its name says the format', outputFile)
    .option('--weights <file>', "tensors by name in the place of the model's own weights")
    .option(
      '--transposed <names...>',
      'tensors of --weights that are transposed: names, or re:<regular expression>',
    )
    .option('--ignore-unknown', 'leave out tensors of --weights that the model has no constant for')
    .option(
      '--shard-bytes <n>',
      'split safetensors into files of at most this size, with an index',
      wholeNumber(1),
    )
    .option('--force', 'replace existing files')
    .option('--json', 'print JSON')
    .action(async (input: string, output: string, given: ConvertArguments) => {
      const { force = false, json } = given;
      refuseIdleFlags(command, needs, { to: output });
      await checkFolder(output);
      const files = filesOf(await readInput(input, given), output, given);
      await writeAll(files, force);
      const removed = given.shardBytes !== undefined && force ? await removeStale(output, files) : [];
      const written = [...files].map(([file, parts]) => ({ file, bytes: sizeOf(parts) }));
      print(io, json, { input, files: written, removed }, () =>
        [
          ...written.map(({ file, bytes: size }) => `${file}  ${bytes(size)}`),
          ...removed.map((file) => `${file}  removed`),
        ].join('\n'),
      );
    });
}

async function readInput(input: string, given: ConvertArguments): Promise<FileContent> {
  const content = await readContent(await openInput(input));
  if (given.weights === undefined) return content;
  if (content.format !== 'onnx') {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected an ONNX model to load --weights into, got a ${content.format} file`,
    );
  }
  const graph = loadWeights(content.graph, await readTensors(given.weights), {
    transposed: given.transposed?.map(parseMatcher),
    unknown: given.ignoreUnknown === true ? 'ignore' : 'error',
  });
  return { format: 'onnx', graph };
}

/** The files to write; the last one names the others. */
function filesOf(content: FileContent, output: string, given: ConvertArguments): FileContents {
  const { shardBytes } = given;
  const format = formatOfName(output);
  if (format === 'onnx' && content.format === 'onnx') return onnxFiles(content.graph, output, given);
  if (shardBytes === undefined) return new Map([[output, [encodeAs(content, format)]]]);
  const base = baseOf(output);
  const metadata = content.format === 'onnx' ? {} : content.metadata;
  const shards = encodeShards(tensorsOf(content), { shardBytes, base, metadata });
  return new Map([...shards].map(([name, file]) => [path.join(path.dirname(output), name), [file]]));
}

/** What shards are named by. */
function baseOf(output: string): string {
  return path.basename(output).slice(0, -'.safetensors'.length);
}

/** Removes what an earlier, other split left of the same output: readers would take it for a part of this one. */
async function removeStale(output: string, files: FileContents): Promise<string[]> {
  const folder = path.dirname(output);
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw fileError('a folder that can be listed at', folder, cause);
  });
  const stale = entries
    .filter((entry) => !entry.isDirectory() && isShardName(entry.name, baseOf(output)))
    .map(({ name }) => path.join(folder, name))
    .filter((file) => !files.has(file));
  for (const file of stale)
    await rm(file, { force: true }).catch((cause: unknown) => {
      throw fileError('to remove', file, cause);
    });
  return stale.sort();
}

function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
