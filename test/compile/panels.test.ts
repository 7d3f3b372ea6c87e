import { expect, test } from 'vitest';
import { PlanBuilder, type StepDraft, type WeightStore } from '../../src/compile/builder.js';
import { keepPanels } from '../../src/compile/panels.js';
import type { StaticGraph } from '../../src/graph/index.js';
import { Model } from '../operators/support.js';
import { stepsThatAgree } from './support.js';

/** Products a -> b -> c of so many tokens, 10 channels each. */
function chain(n: number, changes: Partial<Record<'a' | 'b' | 'c', Partial<StepDraft>>> = {}) {
  const dims = [n, 10];
  const values = new Map(['x', 'a', 'b', 'c'].map((name) => [name, { type: 'float32', dims }]));
  const builder = new PlanBuilder({ values } as unknown as StaticGraph, {} as WeightStore);
  const product = (from: string, to: 'a' | 'b' | 'c', id: number): StepDraft => ({
    op: 'matmul',
    name: to,
    inputs: [{ value: from, dims }],
    outputs: [{ value: to, dims }],
    ints: { n },
    floats: {},
    weights: [id],
    ...changes[to],
  });
  const steps = [product('x', 'a', 0), product('a', 'b', 1), product('b', 'c', 2)];
  return { builder, steps, kept: keepPanels(steps, builder, (value) => value !== 'x' && value !== 'c') };
}

const tiles = (steps: readonly StepDraft[]) => steps.map(({ ints }) => [ints['x_tile'], ints['y_tile']]);

test('results that another product alone reads stay in panels of nearly equal width', () => {
  const { kept, builder } = chain(197);
  expect(tiles(kept)).toEqual([
    [undefined, 48],
    [48, 48],
    [48, undefined],
  ]);
  expect(kept[0]?.outputs).toEqual([{ value: 'a', dims: [5, 10, 48] }]);
  expect(kept[1]?.inputs).toEqual(kept[0]?.outputs);
  expect(builder.dimsOf('a')).toEqual([5, 10, 48]);
  expect(tiles(chain(64).kept)[1]).toEqual([32, 32]);
});

test('what something else reads, few tokens, a residual and a low-rank part stay rows', () => {
  const dims = [64, 10];
  const none = [undefined, undefined];
  expect(tiles(chain(24).kept)).toEqual([none, none, none]);
  const twice = { inputs: ['a', 'a'].map((value) => ({ value, dims })) };
  expect(tiles(chain(64, { b: twice }).kept)).toEqual([none, [undefined, 32], [32, undefined]]);
  const residual = { ints: { n: 64, has_residual: 1 } };
  expect(tiles(chain(64, { a: residual }).kept)[0]).toEqual(none);
  expect(tiles(chain(64, { b: { weights: [1, 3] } }).kept)).toEqual([none, none, none]);
  expect(tiles(chain(64, { b: { op: 'layer_norm' } }).kept)).toEqual([none, none, none]);
});

const masks: Record<string, (model: Model) => (place: number) => number> = {
  dense: (m) => () => m.random() - 0.5,
  unstructured: (m) => () => (m.random() < 0.9 ? 0 : m.random() - 0.5),
  'single rows': (m) => (place) => (place % 7 === 0 ? m.random() - 0.5 : 0),
};

for (const [name, mask] of Object.entries(masks)) {
  test.each([25, 50, 197])(`an MLP of ${name} weights agrees for %i tokens`, async (n) => {
    for (const threads of [1, 2]) {
      const m = new Model();
      let x = m.input('float32', [n, 40]);
      for (const [inputs, outputs] of [
        [40, 150],
        [150, 70],
        [70, 33],
      ] as const) {
        const weights = m.constant('float32', [inputs, outputs], mask(m));
        x = m.node('Gelu', [
          m.node('Add', [m.node('MatMul', [x, weights]), m.constant('float32', [outputs])]),
        ]);
      }
      m.output(m.node('Add', [x, m.input('float32', [n, 33])]));
      expect(await stepsThatAgree(m, { session: { threads } })).toContain('matmul');
    }
  });
}
