// Whole networks, dense and pruned, on espalier beside onnxruntime dense, each engine in a process of its own. Outputs are
// compared before anything is timed.
//
//   npm run bench:conv            convolutional networks: trained ones of npm packages, others with random weights
//   npm run bench:transformer     vision transformers
//   npm run bench:policy          small policies, one observation a run, as a JavaScript caller sees them
//
//   --networks resnet-50,vit-s      only these
//   --variants dense,16x1-80        only these; dense always takes part
//   --threads 1,2                   of both engines
//   --isa avx2                      espalier's instruction set
//   --rounds 7 --milliseconds 100   how often each engine has its turn, and how long a turn is
//   --json FILE                     results, written after every network
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { describeMachine } from './lib/machine.mjs';
import { positive } from './lib/matmul/options.mjs';
import { selectNetworks } from './lib/networks/cases.mjs';
import { runNetwork } from './lib/networks/group.mjs';
import { formatNetworks } from './lib/networks/tables.mjs';
import { selectVariants } from './lib/networks/variants.mjs';
import { writeResults } from './lib/results.mjs';
import { makeScratch } from './lib/scratch.mjs';

/** @import { NetworkRow } from './lib/networks/group.mjs' */

function readOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      networks: { type: 'string' },
      variants: { type: 'string' },
      threads: { type: 'string', default: '1' },
      isa: { type: 'string' },
      rounds: { type: 'string', default: '7' },
      milliseconds: { type: 'string', default: '100' },
      json: { type: 'string' },
    },
  });
  const [family = '', ...others] = positionals;
  if (others.length > 0) throw new Error(`Expected one family, got ${positionals.join(', ')}`);
  return {
    family,
    networks: selectNetworks(family, values.networks),
    variants: selectVariants(family, values.variants),
    threadCounts: values.threads.split(',').map((text) => positive('threads', text)),
    isa: values.isa,
    rounds: positive('rounds', values.rounds),
    milliseconds: positive('milliseconds', values.milliseconds),
    json: values.json,
  };
}

async function main() {
  const { family, networks, variants, threadCounts, json, ...timing } = readOptions();
  const { rounds, milliseconds, isa } = timing;
  const head = {
    bench: `networks ${family}`,
    settings: { rounds, milliseconds, isa },
    machine: describeMachine(),
  };
  const directory = makeScratch('espalier-networks');
  const bar = new SingleBar({ format: '{bar} {title}', stream: process.stderr, noTTYOutput: false });
  if (process.stderr.isTTY) bar.start(networks.length * threadCounts.length * rounds, 0, { title: '' });
  /** @type {NetworkRow[]} */
  const rows = [];
  try {
    for (const network of networks) {
      for (const threads of threadCounts) {
        bar.update({ title: `${network.title}, threads: ${threads}` });
        const onRound = () => bar.increment();
        rows.push(...(await runNetwork(network, { ...timing, variants, threads, directory, onRound })));
      }
      if (json !== undefined) await writeResults(json, { ...head, complete: false, rows });
    }
  } finally {
    bar.stop();
  }
  if (json !== undefined) await writeResults(json, { ...head, complete: true, rows });
  console.log(formatNetworks(rows));
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
