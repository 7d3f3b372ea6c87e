import { readFile } from 'node:fs/promises';
import { parseSensitivity, type Samples, type SensitivityReport, samplesFrom } from '../calibrate/index.js';
import { readTensors } from '../formats/index.js';
import type { Graph } from '../graph/graph.js';
import type { GradientBatches } from '../prune/importance_gradient.js';
import { fileError } from './io.js';

/** Calibration data of a file; none for no file. */
export async function readSamples(file: string | undefined, graph: Graph): Promise<Samples> {
  return file === undefined ? [] : samplesFrom(await readTensors(file), graph.inputs);
}

/** Gradients of files, one for each batch. */
export async function readGradients(
  files: readonly string[] | undefined,
): Promise<GradientBatches | undefined> {
  return files && Promise.all(files.map(async (file) => new Map(await readTensors(file))));
}

/** What the command sensitivity wrote. */
export async function readSensitivity(file: string | undefined): Promise<SensitivityReport | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw fileError('a sensitivity report at', file, cause);
  });
  return parseSensitivity(text, `sensitivity report ${file}`);
}

/** Scores of residual blocks: a JSON object, which the plan checks. */
export async function readScores(
  file: string | undefined,
): Promise<Readonly<Record<string, number>> | undefined> {
  if (file === undefined) return undefined;
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw fileError('JSON in', file, cause);
  }
}
