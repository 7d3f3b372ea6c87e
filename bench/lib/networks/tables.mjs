import Table from 'cli-table3';
import { milliseconds, times } from '../demo-report.mjs';
import { describeOrigin, markdownTable } from '../markers.mjs';
import { groupBy } from '../matmul/rows.mjs';
import {
  isChannelPruned,
  keptOfPromise,
  meanByVariant,
  summarizeNetworks,
  toOnnxruntime,
} from './summary.mjs';

/** @import { Results } from '../results.mjs' */
/** @import { NetworkRow } from './group.mjs' */
/** @import { NetworkSummary } from './summary.mjs' */

const megabytes = (/** @type {number | undefined} */ bytes) =>
  bytes === undefined ? '' : `${(bytes / 1e6).toFixed(0)} MB`;

const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(0)} %`;

/** A variant's name for people. @param {string} id */
const printVariant = (id) => (id === 'dense' ? id : `${id.replace(/-(\d+)$/, ' $1')} %`);

/** Everything about every row, for a terminal. @param {readonly NetworkRow[]} rows */
export function formatNetworks(rows) {
  const table = new Table({
    head: [
      'network',
      'threads',
      'engine',
      'p50 ms',
      'vs onnxruntime',
      'vs dense',
      'multiply-adds',
      'kept',
      'peak',
      'error',
    ],
    style: { head: [], border: [], compact: true },
  });
  for (const { title, threads, reference, variants } of summarizeNetworks(rows)) {
    table.push([
      title,
      threads,
      'onnxruntime dense',
      milliseconds(reference.p50),
      '',
      '',
      '',
      '',
      megabytes(reference.peakBytes),
      '',
    ]);
    for (const row of variants) {
      const dense = variants[0] ?? row;
      table.push([
        '',
        '',
        printVariant(row.variant),
        milliseconds(row.p50),
        times(toOnnxruntime(row)),
        row.toDense === undefined ? '' : times(row.toDense.median),
        `${(row.multiplyAdds / 1e6).toFixed(0)} M`,
        isChannelPruned(row) ? percent(keptOfPromise(row, dense)) : '',
        megabytes(row.peakBytes),
        `${row.error.toExponential(1)}${row.undetermined.length > 0 ? ' *' : ''}`,
      ]);
    }
  }
  return `${table.toString()}\n${meanLines(summarizeNetworks(rows)).join('\n')}`;
}

/** Geometric means over the networks, by number of threads. @param {readonly NetworkSummary[]} summaries */
function meanLines(summaries) {
  return [...groupBy(summaries, ({ threads }) => String(threads))].map(([threads, group]) => {
    const means = meanByVariant(group).map(({ variant, mean }) => `${printVariant(variant)} ${times(mean)}`);
    return `Geometric means over the networks, ${printThreads(Number(threads))}: ${means.join(', ')}.`;
  });
}

const printThreads = (/** @type {number} */ count) => (count === 1 ? 'one thread' : `${count} threads`);

/** Tables for a document, one for each number of threads. @param {Results<NetworkRow> | undefined} results @param {string} command */
export function networksMarkdown(results, command) {
  if (results === undefined) return `Not measured yet: \`${command}\`.`;
  const parts = [...groupBy(summarizeNetworks(results.rows), ({ threads }) => String(threads))].map(
    ([threads, group]) =>
      [
        `**${printThreads(Number(threads))}**`,
        '',
        speedTable(group),
        '',
        ...(group.some(({ variants }) => variants.some(isChannelPruned)) ? [channelTable(group), ''] : []),
        meanLines(group).join('\n'),
      ].join('\n'),
  );
  const { complete, machine } = results;
  const origin = `${complete ? '' : 'The run was cut short. '}${describeOrigin(machine)}`;
  return [...parts, origin].join('\n\n');
}

/** @param {readonly NetworkSummary[]} summaries */
function speedTable(summaries) {
  const shown = (summaries[0]?.variants ?? [])
    .filter((row) => !isChannelPruned(row))
    .map((row) => row.variant);
  const head = ['network', 'onnxruntime dense', ...shown.map(printVariant), 'peak memory', 'largest error'];
  const lines = summaries.map(({ title, reference, variants }) => {
    const cells = shown.map((id) => variants.find(({ variant }) => variant === id));
    const star = variants.some(({ undetermined }) => undetermined.length > 0) ? ' \\*' : '';
    return [
      title,
      `${milliseconds(reference.p50)} ms`,
      ...cells.map((row) => (row === undefined ? '' : times(toOnnxruntime(row)))),
      `${megabytes(variants[0]?.peakBytes)} (${megabytes(reference.peakBytes)})`,
      `${Math.max(...variants.map(({ error }) => error)).toExponential(0)}${star}`,
    ];
  });
  return markdownTable(head, lines);
}

/** @param {readonly NetworkSummary[]} summaries */
function channelTable(summaries) {
  const shown = (summaries[0]?.variants ?? []).filter(isChannelPruned).map((row) => row.variant);
  const lines = summaries.map(({ title, variants }) => {
    const dense = variants[0];
    const cells = shown.map((id) => {
      const row = variants.find(({ variant }) => variant === id);
      if (row === undefined || dense === undefined) return '';
      const promise = dense.multiplyAdds / row.multiplyAdds;
      const kept = percent(keptOfPromise(row, dense));
      return `${times(row.toDense?.median ?? Number.NaN)} of ${times(promise)} (${kept})`;
    });
    return [title, ...cells];
  });
  return markdownTable(['network', ...shown.map(printVariant)], lines);
}
