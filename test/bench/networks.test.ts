import { describe, expect, it } from 'vitest';
import { selectNetworks } from '../../bench/lib/networks/cases.mjs';
import type { NetworkRow } from '../../bench/lib/networks/group.mjs';
import { keptOfPromise, meanByVariant, summarizeNetworks } from '../../bench/lib/networks/summary.mjs';
import { networksMarkdown } from '../../bench/lib/networks/tables.mjs';
import { prune, selectVariants, variants } from '../../bench/lib/networks/variants.mjs';
import { analyzeLayer, findLayers } from '../../src/prune/index.js';

const ratio = (median: number) => ({ median, low: median, high: median, ofMedians: median });
const row = (more: Partial<NetworkRow>): NetworkRow => ({
  network: 'a',
  title: 'A',
  family: 'conv',
  threads: 1,
  engine: 'espalier',
  variant: 'dense',
  p50: 1,
  multiplyAdds: 400,
  fileBytes: 1,
  peakBytes: undefined,
  error: 0,
  undetermined: [],
  ...more,
});
const rows = [
  row({ engine: 'onnxruntime', p50: 2 }),
  row({ toOnnxruntime: ratio(2) }),
  row({ variant: 'channels-50', multiplyAdds: 100, toOnnxruntime: ratio(6), toDense: ratio(3) }),
  row({ network: 'b', title: 'B', engine: 'onnxruntime', p50: 2 }),
  row({ network: 'b', title: 'B', toOnnxruntime: ratio(8) }),
];

describe('results of whole networks', () => {
  it('are one summary for each network, and geometric means for each variant', () => {
    const summaries = summarizeNetworks(rows);
    expect(summaries.map(({ network, reference }) => [network, reference.p50])).toEqual([
      ['a', 2],
      ['b', 2],
    ]);
    expect(meanByVariant(summaries)[0]).toEqual({ variant: 'dense', mean: 4 });
  });

  it('say how much of the promise of fewer multiply-adds was kept', () => {
    const [, dense, pruned] = rows as [NetworkRow, NetworkRow, NetworkRow];
    expect(keptOfPromise(pruned, dense)).toBe(0.75);
  });

  it('are a table, and say how to measure where there are none', () => {
    expect(networksMarkdown(undefined, 'npm run x')).toContain('`npm run x`');
    const machine = { cpu: 'c', isa: [], node: 'v', onnxruntime: 'o', commit: 'abc', date: '2026-01-01' };
    const results = {
      bench: '',
      complete: false,
      settings: { rounds: 1, milliseconds: 1 },
      tolerance: 0,
      rows,
    };
    const text = networksMarkdown({ ...results, machine: machine as never }, '');
    expect(text).toContain('| A | 2.000 ms | 2.00x |');
    expect(text).toContain('3.00x of 4.00x (75 %)');
    expect(text).toContain('cut short');
  });
});

describe('variants', () => {
  it('refuse what they do not know', () => {
    expect(() => selectVariants('policy', 'channels-50')).toThrow(/Expected variants of dense, 16x1-80/);
    expect(() => selectNetworks('convs', undefined)).toThrow(/Expected a family of conv/);
    expect(selectVariants('conv', '16x1-80').map(({ id }) => id)).toEqual(['dense', '16x1-80']);
  });

  it('leave the first convolution and the depthwise ones whole', async () => {
    const [network] = selectNetworks('conv', 'mobilenet-v2');
    const variant = variants.find(({ id }) => id === 'unstructured-80');
    if (network === undefined || variant === undefined) throw new Error('Expected both');
    const { graph } = prune(await network.graph(), variant, network);
    const layers = findLayers(graph).filter(({ op }) => op === 'Conv');
    const dense = layers.filter((layer) => analyzeLayer(graph, layer).sparsity < 0.5);
    expect(dense[0]).toBe(layers[0]);
    expect(dense.slice(1).every(({ groups }) => groups > 1)).toBe(true);
    expect(layers.length - dense.length).toBe(34);
  });
});
