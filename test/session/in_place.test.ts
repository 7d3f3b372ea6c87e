import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compile } from '../../src/compile/compile.js';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import type { Graph } from '../../src/graph/index.js';
import { GraphBuilder } from '../../src/graph/index.js';
import { InferenceSession, Tensor } from '../../src/index.js';
import { compareAll, Model, runOnnxruntime } from '../operators/support.js';
import { expectError } from './support.js';

const store = {
  constant: () => 0,
  pack: () => 0,
  choose: () => {
    throw new Error('no layers here');
  },
};
const inPlaceOf = (graph: Graph) => compile(graph, new Map(), store).inPlace;

/** A cache [1, past, 4] that Concat makes one token longer, and what is computed of it. */
function growing(past: number): Graph {
  const b = new GraphBuilder('growing');
  const x = b.input('x', [1, 1, 4]);
  const present = b.node('Concat', [b.input('past', [1, past, 4]), x], { axis: 1 });
  b.output('y', b.node('ReduceSum', [b.node('Mul', [present, x]), b.ints([1])], { keepdims: 0 }));
  return b.output('present', present).build();
}

/** A cache [8, 4] of fixed length that ScatterND writes a row of. */
function written(reader?: (b: GraphBuilder, cache: string) => void): Graph {
  const b = new GraphBuilder('written');
  const [x, cache] = [b.input('x', [1, 4]), b.input('cache', [8, 4])];
  const next = b.node('ScatterND', [cache, b.input('place', [1, 1], 'int64'), x]);
  b.output('present', next);
  b.output('y', b.node('ReduceSum', [next, b.ints([0])]));
  reader?.(b, cache);
  return b.build();
}

const float = (data: Float32Array, dims: readonly number[]) => new Tensor('float32', data, dims);
const token = (i: number) => float(Float32Array.of(i + 1, i - 2, 0.5, i), [1, 4]);

describe('outputs in the memory of an input', () => {
  test('are found where the output begins as the input', () => {
    expect(inPlaceOf(growing(3))).toEqual([{ input: 1, output: 1 }]);
    expect(inPlaceOf(written())).toEqual([{ input: 1, output: 0 }]);
  });

  test('are none where another node reads the input later, or the output moves what it takes', () => {
    const late = written((b, cache) => b.output('old', b.node('Exp', [cache])));
    expect(inPlaceOf(late)).toEqual([]);
    const b = new GraphBuilder('heads');
    const past = b.input('past', [2, 3, 4]);
    b.output('present', b.node('Concat', [past, b.input('x', [2, 1, 4])], { axis: 1 }));
    expect(inPlaceOf(b.build())).toEqual([]);
    const c = new GraphBuilder('behind');
    c.output('present', c.node('Concat', [c.input('x', [1, 4]), c.input('past', [3, 4])], { axis: 0 }));
    expect(inPlaceOf(c.build())).toEqual([{ input: 0, output: 0 }]); // x begins it, past does not
  });

  test('give what outputs of their own give, step after step', async () => {
    const session = InferenceSession.fromGraph(written(), { threads: 2 });
    const [shared, apart] = [float(new Float32Array(32), [8, 4]), float(new Float32Array(32), [8, 4])];
    for (const place of [0n, 1n, 7n, 1n]) {
      const feeds = { x: token(Number(place)), place: new Tensor('int64', BigInt64Array.of(place), [1, 1]) };
      const { y } = session.runSync({ ...feeds, cache: shared }, { outputs: { present: shared } });
      const expected = session.runSync({ ...feeds, cache: apart });
      expect(y?.data).toEqual(expected['y']?.data);
      expect(shared.data).toEqual(expected['present']?.data);
      const copied = float((apart.data as Float32Array).slice(), [8, 4]);
      await session.run({ ...feeds, cache: copied }, { outputs: { present: copied } });
      expect(copied.data).toEqual(shared.data);
      (apart.data as Float32Array).set(shared.data as Float32Array);
    }
    session.release();
  });

  test('grow in a buffer that is long enough for all steps', () => {
    const memory = new Float32Array(4 * 6);
    const expected: number[] = [];
    for (let past = 0; past < 6; past++) {
      const session = InferenceSession.fromGraph(growing(past), { threads: 1 });
      const x = float(token(past).data as Float32Array, [1, 1, 4]);
      const feeds = { x, past: float(memory.subarray(0, past * 4), [1, past, 4]) };
      const present = float(memory.subarray(0, (past + 1) * 4), [1, past + 1, 4]);
      const { y } = session.runSync(feeds, { outputs: { present } });
      expected.push(...(x.data as Float32Array));
      expect([...memory.subarray(0, expected.length)]).toEqual(expected);
      const sums = [0, 1, 2, 3].map((i) =>
        expected.filter((_, k) => k % 4 === i).reduce((sum, value) => sum + value * Number(x.data[i]), 0),
      );
      expect([...((y as Tensor).data as Float32Array)]).toEqual(sums);
      session.release();
    }
  });

  test('are refused at another address, beside another feed, and where the plan has no such output', async () => {
    const session = InferenceSession.fromGraph(written(), { threads: 1 });
    const memory = new Float32Array(64);
    const place = new Tensor('int64', BigInt64Array.of(0n), [1, 1]);
    const at = (start: number) => float(memory.subarray(start, start + 32), [8, 4]);
    const refused = async (run: () => unknown) =>
      expectError(run, 'ERR_ESPALIER_ARGUMENT', /in memory of its own, got that of a feed/);
    const feeds = { x: token(1), place, cache: at(0) };
    await refused(() => session.runSync(feeds, { outputs: { present: at(4) } }));
    const x = float(memory.subarray(0, 4), [1, 4]);
    await refused(() => session.runSync({ ...feeds, x }, { outputs: { present: at(0) } }));
    await refused(() =>
      session.runSync(
        { ...feeds, x: float(memory.subarray(0, 4), [1, 4]), cache: token8() },
        { outputs: { y: x } },
      ),
    );
    session.release();
  });
});

const token8 = () => float(new Float32Array(32), [8, 4]);

test('TensorScatter and Attention of opset 24 decode in place, as onnxruntime does by copies', async () => {
  const m = new Model(24);
  const [heads, length, size] = [2, 8, 4];
  const [q, k, v] = [1, 2, 3].map(() => m.input('float32', [1, heads, 1, size])) as [string, string, string];
  const past = [0, 1].map(() => m.input('float32', [1, heads, length, size], () => 0));
  const place = m.input('int64', [1], [0]);
  const [keys = '', values = ''] = [k, v].map((fresh, i) =>
    m.node('TensorScatter', [past[i] ?? '', fresh, place]),
  );
  const valid = m.node('Add', [place, m.list([1])]);
  m.output(m.node('Attention', [q, keys, values, '', '', '', valid]), keys, values);
  const graph = m.graph();
  expect(inPlaceOf(graph)).toEqual([
    { input: 3, output: 1 },
    { input: 4, output: 2 },
  ]);
  const bytes = exportOnnx(graph);
  const session = await InferenceSession.create(bytes, { threads: 1 });
  const dims = [1, heads, length, size];
  const memory = new Map(past.map((name) => [name, float(new Float32Array(heads * length * size), dims)]));
  let copied = new Map(memory);
  for (let step = 0; step < 3; step++) {
    const feeds = { ...m.feeds, [place]: new Tensor('int64', BigInt64Array.of(BigInt(step)), [1]) };
    const outputs = {
      [keys]: memory.get(past[0] ?? '') as Tensor,
      [values]: memory.get(past[1] ?? '') as Tensor,
    };
    const expected = await runOnnxruntime(bytes, { ...feeds, ...Object.fromEntries(copied) });
    copied = new Map([
      [past[0] ?? '', expected[keys] as Tensor<'float32'>],
      [past[1] ?? '', expected[values] as Tensor<'float32'>],
    ]);
    const actual = session.runSync({ ...feeds, ...Object.fromEntries(memory) }, { outputs });
    expect(compareAll(actual, expected)).toEqual([]);
  }
  session.release();
});

test('the example of docs/decoding.md runs', () => {
  const page = readFileSync(new URL('../../docs/decoding.md', import.meta.url), 'utf8');
  const code = /```js\n(.*?)```/s.exec(page)?.[1] ?? '';
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: new URL('../..', import.meta.url),
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  const lines = stdout.trim().split('\n');
  expect(lines).toHaveLength(5);
  expect(new Set(lines.map((line) => line.split(' ')[1])).size).toBe(5); // each step sees one more
});
