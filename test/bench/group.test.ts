import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { combine } from '../../bench/lib/matmul/cases.mjs';
import { makeFiles } from '../../bench/lib/matmul/files.mjs';
import { type GroupOptions, runGroup } from '../../bench/lib/matmul/group.mjs';
import { runThreadsGroup } from '../../bench/lib/matmul/threads.mjs';
import { builtPeers } from '../../bench/lib/peer-process.mjs';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'espalier-bench-test-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function options(tokens: number): GroupOptions {
  const shape = { inputs: 48, outputs: 64 };
  return {
    shape,
    tokens,
    zeros: combine({ patterns: ['16x1', '2:4', 'unstructured'], sparsities: [0.5, 0.9] }),
    files: makeFiles(shape, { directory, raw: true }),
    directory,
    peers: builtPeers(),
    isa: undefined,
    rounds: 1,
    milliseconds: 1,
    onRound: () => {},
  };
}

describe('bench:matmul', () => {
  it('compares and times every engine on every kind of weights', async () => {
    const rows = await runGroup(options(3));
    const ours = rows.filter(({ engine }) => engine === 'espalier');
    expect(ours.map(({ pattern, sparsity }) => `${pattern} ${sparsity}`)).toEqual([
      'dense 0',
      '16x1 0.5',
      '2:4 0.5',
      'unstructured 0.5',
      '16x1 0.9',
      'unstructured 0.9',
    ]);
    for (const row of rows) {
      expect(row.p50).toBeGreaterThan(0);
      expect(row.error).toBeLessThan(1e-4);
      if (row.engine !== 'onnxruntime') expect(row.toOnnxruntime?.median).toBeGreaterThan(0);
    }
    expect(ours.every(({ format }) => format !== undefined)).toBe(true);
    const engines = new Set(rows.map(({ engine }) => engine));
    expect([...engines].sort()).toEqual(['espalier', 'onnxruntime', ...builtPeers()].sort());
  });

  it('compares two threads with one', async () => {
    const rows = await runThreadsGroup(options(64));
    expect(rows).toHaveLength(7);
    for (const { p50, toOneThread } of rows) {
      expect(Math.min(...p50)).toBeGreaterThan(0);
      expect(toOneThread.median).toBeGreaterThan(0);
    }
  });
});
