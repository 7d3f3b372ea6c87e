import { describe, expect, test } from 'vitest';
import { findLayers } from '../../src/graph/layers.js';
import { isKept, unitCount } from '../../src/prune/mask.js';
import type { PruneOptions } from '../../src/prune/options.js';
import { type PlannedLayer, planPruning } from '../../src/prune/plan.js';
import { formatPruningPlan, planTotals } from '../../src/prune/print.js';
import { blockOf, type Pattern } from '../../src/sparse/patterns.js';
import { chain, constant, everyKind, randomConstant, seeded } from './graphs.js';

const patterns: Pattern[] = ['unstructured', '16x1', '8x1', '4x1', '4x4', '1x4', '8x2', '3x5'];

/** Blocks of [outputs, inputs] in a matrix, by the definition. */
function blocks(outputs: number, inputs: number, pattern: Pattern): number {
  const { rows, columns } = blockOf(pattern);
  return Math.ceil(outputs / rows) * Math.ceil(inputs / columns);
}

const sparsities = [0, 0.01, 0.25, 0.333, 0.5, 0.8, 0.9, 0.999];

function keptUnits(layer: PlannedLayer): number {
  let kept = 0;
  for (let unit = 0; unit < layer.units; unit++) kept += isKept(layer.mask, unit) ? 1 : 0;
  return kept;
}

describe('counts', () => {
  test.each(patterns)('%s removes exactly round(s * units) of each layer', (pattern) => {
    for (const sparsity of sparsities) {
      const graph = everyKind(2);
      const { layers } = planPruning(graph, { sparsity, pattern });
      expect(layers.map((layer) => layer.name)).not.toContain('depthwise');
      for (const layer of layers) {
        const units = layer.groups * blocks(layer.outputs, layer.inputs, pattern);
        expect(unitCount(layer, pattern)).toBe(units);
        expect(layer.units).toBe(units);
        expect(layer.removedUnits).toBe(Math.min(Math.round(sparsity * units), units - 1));
        expect(keptUnits(layer)).toBe(units - layer.removedUnits);
        expect(layer.mask.length).toBe(Math.ceil(units / 8));
      }
    }
  });

  test.each(patterns)(
    '%s removes exactly round(s * units) of all layers together in global scope',
    (pattern) => {
      for (const sparsity of sparsities.filter((s) => s < 0.99)) {
        const { layers } = planPruning(everyKind(2), { sparsity, pattern, scope: 'global' });
        const units = layers.reduce((sum, layer) => sum + layer.units, 0);
        expect(layers.reduce((sum, layer) => sum + layer.removedUnits, 0)).toBe(Math.round(sparsity * units));
      }
    },
  );

  test('many sizes, tails included', () => {
    const random = seeded(5);
    for (let outputs = 1; outputs <= 35; outputs++) {
      const graph = chain([{ name: 'a', op: 'MatMul', weight: 'w' }], {
        w: randomConstant([3, outputs], random),
      });
      for (const pattern of patterns) {
        const [layer] = planPruning(graph, { sparsity: 0.5, pattern }).layers;
        const units = blocks(outputs, 3, pattern);
        expect(layer?.removedUnits).toBe(Math.min(Math.round(units / 2), units - 1));
        expect(layer?.weights).toBe(3 * outputs);
      }
    }
  });

  test('a layer is never emptied, in either scope', () => {
    const random = seeded(1);
    const tiny = randomConstant([40, 40], random);
    const graph = chain(
      [
        { name: 'loud', op: 'MatMul', weight: 'loud' },
        { name: 'quiet', op: 'MatMul', weight: 'quiet' },
        { name: 'zero', op: 'MatMul', weight: 'zero' },
      ],
      {
        loud: randomConstant([40, 40], random),
        quiet: constant(
          [40, 40],
          values32(tiny.bytes).map((weight) => weight * 1e-6),
        ),
        zero: constant([4, 4], new Float32Array(16)),
      },
    );
    for (const scope of ['layer', 'global'] as const) {
      for (const pattern of patterns) {
        for (const sparsity of [0.6, 0.9, 0.99999]) {
          for (const layer of planPruning(graph, { sparsity, pattern, scope }).layers) {
            expect(keptUnits(layer)).toBeGreaterThan(0);
          }
        }
      }
    }
  });
});

describe('N of every M', () => {
  test.each(['2:4', '1:4', '4:8', '3:5', '1:32'] as const)(
    '%s keeps exactly N of each M inputs',
    (pattern) => {
      const [kept = 0, of = 0] = pattern.split(':').map(Number);
      for (const scope of ['layer', 'global'] as const) {
        const { layers, options } = planPruning(everyKind(2), { pattern, scope });
        expect(options.sparsity).toBe(1 - kept / of);
        for (const { groups, outputs, inputs, mask, units, removedUnits, removed } of layers) {
          let left = 0;
          for (let row = 0; row < groups * outputs; row++) {
            for (let first = 0; first < inputs; first += of) {
              const size = Math.min(of, inputs - first);
              const bits = Array.from({ length: size }, (_, i) => isKept(mask, row * inputs + first + i));
              expect(bits.filter(Boolean)).toHaveLength(Math.min(kept, size));
              left += Math.min(kept, size);
            }
          }
          expect([units, removedUnits, removed]).toEqual([
            groups * outputs * inputs,
            units - left,
            units - left,
          ]);
        }
      }
    },
  );

  test('the smallest go, ties by index, whatever other groups hold', () => {
    const graph = chain([{ name: 'a', op: 'Gemm', weight: 'w', attributes: { transB: 1 } }], {
      w: constant([2, 6], [1, -1, 1, 2, 0, 5, 9, 8, 7, 6, 5, 0.5]),
    });
    const [layer] = planPruning(graph, { pattern: '2:4' }).layers;
    const bits = Array.from({ length: 12 }, (_, unit) => (layer && isKept(layer.mask, unit) ? 1 : 0));
    expect(bits.join('')).toBe('001111110011');
  });

  test('says its sparsity: another is an error, the same or none is not', () => {
    const graph = everyKind(1);
    expect(planPruning(graph, { pattern: '1:4', sparsity: 0.75 }).options.sparsity).toBe(0.75);
    const refused = 'sparsity to be 0.75, as the pattern 1:4 says, or left out, got 0.5';
    expect(() => planPruning(graph, { pattern: '1:4', sparsity: 0.5 })).toThrow(
      `Expected planPruning options.${refused}`,
    );
    const layers = { gemm: { pattern: '1:4' } } as const;
    const { layers: planned } = planPruning(graph, { sparsity: 0.5, layers });
    expect(planned.find(({ name }) => name === 'gemm')?.pattern).toBe('1:4');
    expect(() =>
      planPruning(graph, { sparsity: 0.5, layers: { gemm: { pattern: '1:4', sparsity: 0.5 } } }),
    ).toThrow(`Expected planPruning options.layers.gemm.${refused}`);
  });
});

describe('choice', () => {
  test('the smallest magnitudes go, ties by index, zeros first', () => {
    const graph = chain([{ name: 'a', op: 'Gemm', weight: 'w', attributes: { transB: 1 } }], {
      w: constant([2, 4], [1, -1, 0, 1, 2, -0, 1, 1]),
    });
    const kept = (sparsity: number) => {
      const [layer] = planPruning(graph, { sparsity }).layers;
      return Array.from({ length: 8 }, (_, unit) => (layer && isKept(layer.mask, unit) ? 1 : 0)).join('');
    };
    expect(kept(0)).toBe('11111111');
    expect(kept(1 / 8)).toBe('11011111');
    expect(kept(2 / 8)).toBe('11011011');
    expect(kept(3 / 8)).toBe('01011011');
    expect(kept(4 / 8)).toBe('00011011');
    expect(kept(7 / 8)).toBe('00001000');
  });

  test('a block scores the mean of its weights, so a short last block is not at a disadvantage', () => {
    // 5 outputs, 1 input, 4x1: block 0 has mean 1, block 1 is the single weight 2.
    const graph = chain([{ name: 'a', op: 'MatMul', weight: 'w' }], { w: constant([1, 5], [1, 1, 1, 1, 2]) });
    const [layer] = planPruning(graph, { sparsity: 0.5, pattern: '4x1' }).layers;
    expect(layer?.mask).toEqual(Uint8Array.of(0b10));
    expect(layer?.removed).toBe(4);
  });

  test('units that are zero already go first, whatever their importance', () => {
    const graph = chain([{ name: 'a', op: 'MatMul', weight: 'w' }], { w: constant([1, 4], [3, 0, 5, 4]) });
    const constantScores = (_layer: unknown, weights: Float32Array) => weights.map(() => -7);
    const [layer] = planPruning(graph, { sparsity: 0.25, importance: constantScores }).layers;
    expect(layer?.mask).toEqual(Uint8Array.of(0b1101));
  });

  test('an importance sees (group, output, input) order and cannot change the weights', () => {
    const seen: number[][] = [];
    const graph = chain([{ name: 'a', op: 'MatMul', weight: 'w' }], {
      w: constant([2, 3], [1, 2, 3, 4, 5, 6]),
    });
    const before = [...(graph.constants.get('w')?.bytes ?? [])];
    planPruning(graph, {
      sparsity: 0.5,
      importance: (_layer, weights) => {
        seen.push([...weights]);
        return weights.fill(0);
      },
    });
    expect(seen).toEqual([[1, 4, 2, 5, 3, 6]]);
    expect([...(graph.constants.get('w')?.bytes ?? [])]).toEqual(before);
  });

  test('global scope takes from the layer with the smaller weights', () => {
    const graph = chain(
      [
        { name: 'loud', op: 'MatMul', weight: 'loud' },
        { name: 'quiet', op: 'MatMul', weight: 'quiet' },
      ],
      { loud: constant([1, 4], [9, 8, 7, 6]), quiet: constant([1, 4], [1, 2, 3, 4]) },
    );
    const removed = planPruning(graph, { sparsity: 0.5, scope: 'global' }).layers.map(
      (layer) => layer.removed,
    );
    expect(removed).toEqual([1, 3]); // quiet keeps its best
  });

  test('planning twice gives the same plan', () => {
    for (const scope of ['layer', 'global'] as const) {
      const options: PruneOptions = { sparsity: 0.7, pattern: '8x1', scope, exclude: [/gemm/g] };
      expect(planPruning(everyKind(3), options)).toEqual(planPruning(everyKind(3), options));
    }
  });
});

describe('selection', () => {
  const names = (options: PruneOptions) =>
    planPruning(everyKind(1), options).layers.map((layer) => layer.name);

  test('by name, operator or RegExp', () => {
    expect(names({ sparsity: 0.5, include: ['gemm'] })).toEqual(['gemm']);
    expect(names({ sparsity: 0.5, include: ['Gemm', /^mat/] })).toEqual(['gemm', 'gemmT', 'matmul']);
    expect(names({ sparsity: 0.5, include: ['Conv'], exclude: [/conv1d/g] })).toEqual(['conv', 'grouped']);
    expect(names({ sparsity: 0.5, operators: ['MatMul'] })).toEqual(['matmul']);
    expect(names({ sparsity: 0.5, exclude: ['Conv'] })).toEqual(['gemm', 'gemmT', 'matmul']);
  });

  test('a depthwise convolution must be named', () => {
    expect(names({ sparsity: 0.5, include: ['depthwise'] })).toEqual(['depthwise']);
    expect(names({ sparsity: 0.5, layers: { depthwise: { sparsity: 0.1 } } })).toContain('depthwise');
  });

  test('budgets by name patterns: a name wins over a pattern, a pattern over an operator', () => {
    const options = {
      sparsity: 0.5,
      layers: {
        're:^gemm': { sparsity: 0.25 },
        're:T$': { pattern: '4x1' },
        Gemm: { sparsity: 0.75, pattern: '2x1' },
      },
    } as const;
    const find = (own: object, name: string) =>
      planPruning(everyKind(3), { ...options, ...own }).layers.find((layer) => layer.name === name);
    expect(find({}, 'gemm')).toMatchObject({
      pattern: '2x1',
      removedUnits: Math.round((0.25 * 13 * 38) / 2),
    });
    expect(find({}, 'gemmT')).toMatchObject({ pattern: '4x1', removedUnits: Math.round(0.25 * 5 * 11) });
    expect(find({}, 'matmul')).toMatchObject({ pattern: 'unstructured', removedUnits: 72 });
    const named = { layers: { ...options.layers, gemmT: { sparsity: 0 } } };
    expect(find(named, 'gemmT')).toMatchObject({ pattern: '4x1', removedUnits: 0 });
    expect(find({ layers: { 're:^depth': { sparsity: 0.5 } } }, 'depthwise')?.removedUnits).toBe(36);
    expect(() => find({ layers: { 're:^conf': {} } }, 'gemm')).toThrow(
      /every entry of planPruning options.layers to match a layer, got "re:\^conf"/,
    );
    expect(() => find({ layers: { 're:(': {} } }, 'gemm')).toThrow(/Expected a regular expression after re:/);
  });

  test('own sparsity and pattern by name win over those by operator', () => {
    const { layers } = planPruning(everyKind(1), {
      sparsity: 0.5,
      scope: 'global',
      layers: { Gemm: { sparsity: 0.25, pattern: '4x1' }, gemmT: { sparsity: 0 } },
    });
    const find = (name: string) => layers.find((layer) => layer.name === name);
    expect(find('gemm')).toMatchObject({ pattern: '4x1', removedUnits: Math.round(0.25 * 10 * 13) });
    expect(find('gemmT')).toMatchObject({ pattern: '4x1', removedUnits: 0 });
    const rest = layers.filter((layer) => !layer.name.startsWith('gemm'));
    const units = rest.reduce((sum, layer) => sum + layer.units, 0);
    expect(rest.reduce((sum, layer) => sum + layer.removedUnits, 0)).toBe(Math.round(units / 2));
  });

  test('nodes that share a weight are planned once', () => {
    const graph = chain(
      [
        { name: 'a', op: 'MatMul', weight: 'w' },
        { name: 'b', op: 'MatMul', weight: 'w' },
      ],
      { w: randomConstant([8, 8], seeded(1)) },
    );
    const plan = planPruning(graph, { sparsity: 0.5 });
    expect(plan.layers.map((layer) => layer.nodes)).toEqual([['a', 'b']]);
    expect(() => planPruning(graph, { sparsity: 0.5, layers: { b: { sparsity: 0.1 } } })).toThrow(
      /share weight "w" to agree, but "a" and "b" ask for different sparsity or pattern/,
    );
  });

  test('nodes that read a shared weight as different matrices cannot be pruned together', () => {
    const graph = chain(
      [
        { name: 'a', op: 'Gemm', weight: 'w', attributes: { transB: 1 } },
        { name: 'b', op: 'MatMul', weight: 'w' },
      ],
      { w: randomConstant([8, 8], seeded(1)) },
    );
    expect(() => planPruning(graph, { sparsity: 0.5 })).toThrow(/read it as different matrices/);
    expect(planPruning(graph, { sparsity: 0.5, exclude: ['b'] }).layers[0]?.nodes).toEqual(['a']);
  });
});

describe('errors', () => {
  const fails = (options: unknown) => {
    try {
      planPruning(everyKind(1), options as PruneOptions);
    } catch (error) {
      return error as Error & { code: string };
    }
    throw new Error('expected planPruning to throw');
  };

  test.each([
    [{ sparcity: 0.5 }, /Unknown key "sparcity" in planPruning options; did you mean "sparsity"\?/],
    [
      { sparsity: 0.5, patern: '8x1' },
      /Unknown key "patern" in planPruning options; did you mean "pattern"\?/,
    ],
    [
      { sparsity: 0.5, zzzzzz: 1 },
      /Unknown key "zzzzzz" in planPruning options; expected one of sparsity, pattern/,
    ],
    [
      { sparsity: 0.5, layers: { gemm: { sparity: 1 } } },
      /Unknown key "sparity" in planPruning options\.layers\.gemm; did you mean "sparsity"\?/,
    ],
    [{}, /Expected planPruning options\.sparsity to be given, got undefined/],
    [undefined, /Expected planPruning options to be an object, got undefined/],
    [{ sparsity: 1 }, /Expected planPruning options\.sparsity to be a number in \[0, 1\), got 1$/],
    [{ sparsity: -0.1 }, /a number in \[0, 1\), got -0\.1/],
    [{ sparsity: Number.NaN }, /a number in \[0, 1\), got NaN/],
    [{ sparsity: '0.5' }, /a number in \[0, 1\), got "0\.5"/],
    [
      { sparsity: 0.5, pattern: '4:2' },
      /options\.pattern to be unstructured, RxC \(.*16x1\) or N:M \(.*2:4\), got "4:2"/,
    ],
    [{ sparsity: 0.5, scope: 'all' }, /options\.scope to be one of layer, row, global, got "all"/],
    [{ sparsity: 0.5, include: ['conv'], exclude: ['Conv'] }, /to select a layer, got none.*"conv" \(Conv\)/],
    [{ sparsity: 0.5, include: 'conv' }, /options\.include to be an array of strings or RegExps, got "conv"/],
    [{ sparsity: 0.5, importance: 'magnitude' }, /options\.importance to be a function, got "magnitude"/],
    [
      { sparsity: 0.5, include: ['conv9'] },
      /options\.include to match a layer, got "conv9".*"conv" \(Conv\).*"matmul" \(MatMul\)/,
    ],
    [
      { sparsity: 0.5, exclude: [/nope/] },
      /options\.exclude to match a layer, got \/nope\/; the layers are "conv" \(Conv\)/,
    ],
    [
      { sparsity: 0.5, operators: ['Conf'] },
      /options\.operators to match a layer, got "Conf" \(did you mean "Conv"\?\)/,
    ],
    [
      { sparsity: 0.5, layers: { gemn: {} } },
      /options\.layers to match a layer, got "gemn" \(did you mean "gemm"\?\)/,
    ],
    [
      { sparsity: 0.5, importance: () => new Float32Array(3) },
      /layer "conv" to be .* of 945 scores, got Float32Array of 3/,
    ],
    [{ sparsity: 0.5, importance: () => undefined }, /of 945 scores, got undefined/],
    [
      { sparsity: 0.5, importance: (_: unknown, w: Float32Array) => w.fill(Number.NaN) },
      /importance of layer "conv" to be numbers, got NaN at output 0, input 0/,
    ],
  ])('%o', (options, message) => {
    const error = fails(options);
    expect(error.message).toMatch(message);
    expect(error.code).toBe('ERR_ESPALIER_ARGUMENT');
  });

  test('a graph without layers', () => {
    const graph = chain([{ name: 'a', op: 'Relu', weight: '' }], {});
    expect(() => planPruning(graph, { sparsity: 0.5 })).toThrow(
      /Expected a graph with layers to prune, got "test"/,
    );
  });
});

test('a plan is data, and prints as a table', () => {
  const plan = planPruning(everyKind(1), {
    sparsity: 0.8,
    pattern: '8x1',
    include: ['Conv'],
    exclude: [/1d/],
  });
  expect(JSON.parse(JSON.stringify(plan.options))).toEqual(plan.options);
  expect(plan.options).toMatchObject({
    include: ['Conv'],
    exclude: ['/1d/'],
    importance: 'magnitude',
    scope: 'layer',
  });
  const lines = formatPruningPlan(plan).split('\n');
  expect(lines[0]).toMatch(/^layer +op +outputs x inputs +pattern +weights +removed +sparsity$/);
  expect(lines).toHaveLength(plan.layers.length + 2);
  expect(lines[2]).toMatch(/^grouped +Conv +3 x 18 x 12 +8x1 +648 +\d+ +\d+\.\d %$/);
  expect(planTotals(plan).weights).toBe(945 + 648);
  expect(findLayers(everyKind(1))).toHaveLength(7);
});

function values32(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}
