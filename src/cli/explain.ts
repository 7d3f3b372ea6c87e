import type { Command } from 'commander';
import type { LayerExplanation } from '../explain.js';
import type { FormatChange } from '../sparse/crossover.js';
import type { FormatCandidate } from '../sparse/format.js';
import { bytes, count, milliseconds, percent, table } from '../text.js';
import { addSessionOptions, type SessionArguments } from './arguments.js';
import { openInput } from './input.js';
import { type Io, print } from './io.js';
import { openSession } from './session.js';

interface ExplainArguments extends SessionArguments {
  readonly json?: boolean;
}

export function addExplain(program: Command, io: Io): void {
  addSessionOptions(program.command('explain').description('say how each layer would run, and why'))
    .argument('<model>', 'an ONNX model or a compiled one')
    .option('--json', 'print JSON')
    .action(async (model: string, given: ExplainArguments) => {
      const { session: opened, feeds } = await openSession(await openInput(model), given, io);
      using session = opened;
      const { isa, threads } = session;
      const layers = session.explain(feeds);
      print(io, given.json, { model, isa, threads, layers }, () => describe(layers));
    });
}

function describe(layers: readonly LayerExplanation[]): string {
  if (layers.length === 0) return 'no layers with weights';
  const header = [
    'layer',
    'op',
    'outputs x inputs',
    'n',
    'zeros',
    'format',
    'bytes',
    'candidates',
    'otherwise',
  ];
  const rows = layers.map((layer) => [
    layer.name,
    layer.op,
    `${layer.groups > 1 ? `${layer.groups} x ` : ''}${layer.outputs} x ${layer.inputs}`,
    count(layer.n),
    layer.pattern === 'dense' ? percent(layer.sparsity) : `${percent(layer.sparsity)} ${layer.pattern}`,
    formatOf(layer),
    bytes(layer.bytes),
    candidateList(layer.candidates),
    layer.changesAt.map(changeOf).join(', '),
  ]);
  return table(header, rows, ['n', 'bytes']);
}

function formatOf({ format, storage, winograd }: LayerExplanation): string {
  if (winograd) return `${format}, Winograd`;
  return storage === 'float16' ? `${format} float16` : format;
}

/** The cheapest three and dense: predicted, and behind `=` measured. */
function candidateList(candidates: readonly FormatCandidate[]): string {
  return candidates
    .filter(({ format, measuredMicroseconds }, i) => i < 3 || format === 'dense' || measuredMicroseconds)
    .map(({ format, predictedMicroseconds, measuredMicroseconds }) => {
      const measured =
        measuredMicroseconds === undefined ? '' : ` = ${milliseconds(measuredMicroseconds / 1000)}`;
      return `${format} ${milliseconds(predictedMicroseconds / 1000)}${measured}`;
    })
    .join(', ');
}

function changeOf({ pattern, sparsity, format }: FormatChange): string {
  return `${format} at ${percent(sparsity)} ${pattern}`;
}
