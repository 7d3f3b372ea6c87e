import { describe, expect, test } from 'vitest';
import { compileModel } from '../../src/esp/index.js';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { fromNumbers, type Graph, type Node } from '../../src/graph/index.js';
import { InferenceSession, Tensor } from '../../src/index.js';
import { buildGraph, floats, ints, node, randomNumbers } from '../graph/support.js';
import { compareAll, runOnnxruntime } from '../operators/support.js';

type Feeds = Record<string, Tensor>;

/** Where shapes depend on what a run computes, each run goes through more than one plan. */
async function expectStages(graph: Graph, runs: readonly Feeds[]): Promise<void> {
  const bytes = exportOnnx(graph);
  const session = await InferenceSession.create(bytes, { threads: 1 });
  for (const feeds of runs) {
    const expected = await runOnnxruntime(bytes, feeds);
    expect(compareAll(session.runSync(feeds), expected)).toEqual([]);
    expect(compareAll(await session.run(feeds), expected)).toEqual([]);
  }
  session.release();
}

const row = (...values: number[]) => ({ x: new Tensor('float32', values, [1, values.length]) });

/** Elements of x above zero, twice as large: their number is known when x is. */
const positive = () =>
  buildGraph({
    opset: 13,
    inputs: { x: ['float32', 1, 'n'] },
    constants: { zero: fromNumbers('float32', [], [0]), two: floats([1], [2]), w: floats([4, 4]) },
    nodes: [
      node('Mul', ['x', 'two'], ['scaled']),
      node('Greater', ['scaled', 'zero'], ['above']),
      node('NonZero', ['above'], ['places']),
      node('Transpose', ['places'], ['rows'], { perm: [1n, 0n] }),
      node('GatherND', ['scaled', 'rows'], ['y']),
      node('Shape', ['y'], ['count']),
      node('Relu', ['scaled'], ['relu']),
    ],
    outputs: { y: 'float32', count: 'int64', scaled: 'float32', relu: 'float32' },
  });

describe('shapes that depend on computed values', () => {
  test('NonZero: another number of places in each run, also none, and of other dims', async () => {
    await expectStages(positive(), [
      row(1, -2, 3, -4),
      row(1, 2, 3, 4),
      row(-1, -2, -3, -4),
      row(1, -2, 3, -4),
      row(5, -6),
    ]);
  });

  test('NonMaxSuppression of boxes and scores that layers compute, and a second count behind it', async () => {
    const random = randomNumbers(3);
    const boxes = 40;
    const graph = buildGraph({
      opset: 13,
      inputs: { x: ['float32', 1, boxes, 8] },
      constants: {
        w: floats([8, 4]),
        v: floats([8, 2]),
        most: ints([5]),
        overlap: floats([1], [0.3]),
        least: floats([1], [0.55]),
        last: fromNumbers('int64', [], [2]),
        zero: ints([0]),
      },
      nodes: [
        node('MatMul', ['x', 'w'], ['boxes']),
        node('MatMul', ['x', 'v'], ['logits']),
        node('Sigmoid', ['logits'], ['likely']),
        node('Transpose', ['likely'], ['scores'], { perm: [0n, 2n, 1n] }),
        node('NonMaxSuppression', ['boxes', 'scores', 'most', 'overlap', 'least'], ['chosen']),
        node('Gather', ['chosen', 'last'], ['index'], { axis: 1n }),
        node('Gather', ['boxes', 'index'], ['kept'], { axis: 1n }),
        node('Exp', ['kept'], ['sizes']),
        node('ReduceMax', ['sizes'], ['largest'], { axes: [0n, 2n], keepdims: 0n }),
        node('ReduceMean', ['largest'], ['mean'], { axes: [0n] }),
        node('Greater', ['largest', 'mean'], ['large']),
        node('NonZero', ['large'], ['places']),
      ],
      outputs: { chosen: 'int64', kept: 'float32', places: 'int64' },
    });
    const feed = () => ({
      x: new Tensor(
        'float32',
        Float32Array.from({ length: boxes * 8 }, () => random() * 2 - 1),
        [1, boxes, 8],
      ),
    });
    await expectStages(graph, [feed(), feed(), feed()]);
  });

  test('an If whose branches differ in dims, a Loop of a computed length, TopK of a computed number', async () => {
    const inner = (op: string) => ({
      ...buildGraph({ opset: 13, nodes: [node(op, ['x'], ['r'])], outputs: {} }),
      outputs: [{ name: 'r', type: 'float32', dims: undefined, undeclared: true } as const],
    });
    const body: Graph = {
      ...buildGraph({
        opset: 13,
        nodes: [node('Identity', ['going'], ['on']), node('Add', ['sum', 'sum'], ['next'])],
        outputs: {},
      }),
      inputs: [
        { name: 'trip', type: 'int64', dims: [] },
        { name: 'going', type: 'bool', dims: [] },
        { name: 'sum', type: 'float32', dims: undefined },
      ],
      outputs: [
        { name: 'on', type: 'bool', dims: [] },
        { name: 'next', type: 'float32', dims: undefined },
      ],
    };
    const graph = buildGraph({
      opset: 13,
      inputs: { x: ['float32', 2, 3] },
      constants: { zero: fromNumbers('float32', [], [0]), one: ints([1]), yes: fromNumbers('bool', [], [1]) },
      nodes: [
        node('ReduceMax', ['x'], ['most'], { keepdims: 0n }),
        node('Greater', ['most', 'zero'], ['c']),
        node('If', ['c'], ['y'], { then_branch: inner('Transpose'), else_branch: inner('Neg') }),
        node('Abs', ['most'], ['size']),
        node('Cast', ['size'], ['trips'], { to: 7n }),
        node('Loop', ['trips', 'yes', 'x'], ['z'], { body }),
        node('Reshape', ['trips', 'one'], ['k']),
        node('TopK', ['x', 'k'], ['v', 'i']),
      ],
      outputs: { y: 'float32', z: 'float32', v: 'float32', i: 'int64' },
    });
    const feed = (...values: number[]) => ({ x: new Tensor('float32', values, [2, 3]) });
    await expectStages(graph, [
      feed(1, 2, -3, 0, 1, 3),
      feed(-1, -2, -3, -4, -5, -6),
      feed(0, 0, 0, 0, 0, -1),
    ]);
  });

  test('NonMaxSuppression in a branch that a computed number chooses, as detectors of torchvision have it', async () => {
    const inner = (nodes: Node[], constants = {}) => ({
      ...buildGraph({ opset: 13, nodes, constants, outputs: {} }),
      outputs: [{ name: 'r', type: 'int64', dims: undefined, undeclared: true } as const],
    });
    const suppress = inner(
      [
        node('Unsqueeze', ['kept', 'front'], ['boxes']),
        node('Unsqueeze', ['best', 'fronts'], ['scores']),
        node('NonMaxSuppression', ['boxes', 'scores', 'most', 'overlap'], ['chosen']),
        node('Gather', ['chosen', 'column'], ['r'], { axis: 1n }),
      ],
      { front: ints([0]), fronts: ints([0, 1]), most: ints([9]), overlap: floats([1], [0.4]) },
    );
    const none = inner([node('Identity', ['nothing'], ['r'])], { nothing: fromNumbers('int64', [0, 1], []) });
    const graph = buildGraph({
      opset: 13,
      inputs: { x: ['float32', 12, 5] },
      constants: {
        half: fromNumbers('float32', [], [0.5]),
        zero: fromNumbers('int64', [], [0]),
        column: ints([0]),
        last: ints([4]),
        end: ints([5]),
        one: ints([1]),
        first: ints([0]),
        four: ints([4]),
      },
      nodes: [
        node('Abs', ['x'], ['all']),
        node('Slice', ['all', 'last', 'end', 'one'], ['likely']),
        node('Squeeze', ['likely', 'one'], ['score']),
        node('Greater', ['score', 'half'], ['above']),
        node('Compress', ['score', 'above'], ['best'], { axis: 0n }),
        node('Slice', ['all', 'first', 'four', 'one'], ['corners']),
        node('Compress', ['corners', 'above'], ['kept'], { axis: 0n }),
        node('Size', ['kept'], ['size']),
        node('Equal', ['size', 'zero'], ['empty']),
        node('If', ['empty'], ['index'], { then_branch: none, else_branch: suppress }),
        node('Squeeze', ['index', 'one'], ['rows']),
        node('Gather', ['kept', 'rows'], ['y']),
      ],
      outputs: { y: 'float32', rows: 'int64' },
    });
    const random = randomNumbers(9);
    const feed = (least: number) => ({
      x: new Tensor(
        'float32',
        Float32Array.from({ length: 60 }, () => least * random()),
        [12, 5],
      ),
    });
    await expectStages(graph, [feed(1), feed(1), feed(0.4), feed(1)]);
    await expectStages(graph, [feed(0.4), feed(1)]);
  });

  test('runs that overlap do not mix, and what they are fed may change at once', async () => {
    const session = await InferenceSession.create(exportOnnx(positive()), { threads: 1 });
    const feeds = [row(1, -2, 3, -4), row(5, 6), row(-1, 7, -8, 9)];
    const runs = feeds.map((feed) => session.run(feed));
    for (const { x } of feeds) (x.data as Float32Array).fill(0);
    const results = await Promise.all(runs);
    expect(results.map(({ y }) => [...(y?.data ?? [])])).toEqual([
      [2, 6],
      [10, 12],
      [14, 18],
    ]);
    session.release();
  });

  test('explain, profile and outputs of the caller cover all stages', async () => {
    const graph = buildGraph({
      opset: 13,
      inputs: { x: ['float32', 3, 4] },
      constants: {
        w: floats([4, 4]),
        v: floats([4, 2]),
        zero: fromNumbers('float32', [], [0]),
        axis: ints([1]),
      },
      nodes: [
        node('MatMul', ['x', 'w'], ['h']),
        node('ReduceSum', ['h', 'axis'], ['s'], { keepdims: 0n }),
        node('Greater', ['s', 'zero'], ['c']),
        node('Compress', ['h', 'c'], ['kept'], { axis: 0n }),
        node('MatMul', ['kept', 'v'], ['y']),
      ],
      outputs: { y: 'float32' },
    });
    const feeds = {
      x: new Tensor(
        'float32',
        Float32Array.from({ length: 12 }, (_, i) => (i % 5) - 2),
        [3, 4],
      ),
    };
    const bytes = exportOnnx(graph);
    const expected = await runOnnxruntime(bytes, feeds);
    const compiled = Buffer.concat(compileModel(graph).parts);
    for (const model of [bytes, compiled]) {
      const session = await InferenceSession.create(model, { threads: 1 });
      expect(session.explain(feeds).map(({ name }) => name)).toEqual(['MatMul_h', 'MatMul_y']);
      expect(session.profile(feeds).filter(({ op }) => /matmul|product/i.test(op)).length).toBe(2);
      const outputs = session.runSync(feeds);
      expect(compareAll(outputs, expected)).toEqual([]);
      for (const { data } of Object.values(outputs)) (data as Float32Array).fill(0);
      expect(session.runSync(feeds, { outputs })['y']).toBe(outputs['y']);
      expect(compareAll(outputs, expected)).toEqual([]);
      session.release();
    }
  });

  test('a value inside of a loop stays refused', async () => {
    const inner: Graph = {
      ...buildGraph({ opset: 13, nodes: [node('Greater', ['sum', 'sum'], ['on'])], outputs: {} }),
      inputs: [
        { name: 'trip', type: 'int64', dims: [] },
        { name: 'going', type: 'bool', dims: [] },
        { name: 'sum', type: 'float32', dims: [] },
      ],
      outputs: [
        { name: 'on', type: 'bool', dims: [] },
        { name: 'sum', type: 'float32', dims: [] },
      ],
    };
    const graph = buildGraph({
      opset: 13,
      inputs: { x: ['float32'] },
      nodes: [node('Loop', ['', '', 'x'], ['y'], { body: inner })],
      outputs: { y: 'float32' },
    });
    await expect(InferenceSession.create(exportOnnx(graph))).rejects.toThrow(
      /only known trip counts are unrolled/,
    );
  });
});
