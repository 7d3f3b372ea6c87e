import { expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession } from '../../src/index.js';
import { compareAll, Model, runOnnxruntime } from '../operators/support.js';

interface Value {
  readonly name: string;
  readonly dims: readonly number[];
}

/** Values shrink towards [-1, 1] so that long chains neither overflow nor amplify rounding. */
const calm = ['Tanh', 'Sigmoid', 'Relu', 'Neg', 'Abs', 'HardSigmoid', 'Identity', 'HardSwish'];

type Rule = (m: Model, x: Value, all: readonly Value[]) => Value | undefined;

const sameShape = (m: Model, x: Value, all: readonly Value[]): Value =>
  m.pick(all.filter(({ dims }) => dims.join() === x.dims.join()));

const rules: Rule[] = [
  (m, x) => ({ name: m.node(m.pick(calm), [x.name]), dims: x.dims }),
  (m, x, all) => ({
    name: m.node(m.pick(['Add', 'Sub', 'Max', 'Min', 'Mul']), [x.name, sameShape(m, x, all).name]),
    dims: x.dims,
  }),
  (m, x) => ({ name: m.node(m.pick(['Add', 'Mul']), [x.name, m.scalar(m.random())]), dims: x.dims }),
  (m, x) => {
    const own = x.dims.map((dim) => m.pick([1, dim])).slice(m.int(0, x.dims.length));
    return { name: m.node('Mul', [m.constant('float32', own), x.name]), dims: x.dims };
  },
  (m, x) => {
    const order = [...x.dims.keys()].sort(() => m.random() - 0.5);
    return {
      name: m.node('Transpose', [x.name], { perm: order }),
      dims: order.map((axis) => x.dims[axis] as number),
    };
  },
  (m, x) => {
    const size = x.dims.reduce((a, b) => a * b, 1);
    const [first = 1] = x.dims;
    const dims = m.pick([[size], [first, size / first], [1, first, size / first, 1]]);
    return { name: m.node('Reshape', [x.name, m.list(dims)]), dims };
  },
  (m, x, all) => {
    const axis = m.int(0, x.dims.length - 1);
    const other = sameShape(m, x, all);
    const dims = x.dims.with(axis, 2 * (x.dims[axis] as number));
    return dims.reduce((a, b) => a * b, 1) > 600
      ? undefined
      : { name: m.node('Concat', [x.name, other.name], { axis }), dims };
  },
  (m, x) => {
    const axis = m.int(0, x.dims.length - 1);
    const size = x.dims[axis] as number;
    if (size < 2) return undefined;
    const [first, second] = m.nodes('Split', [x.name, m.list([1, size - 1])], 2, { axis });
    return m.int(0, 1) === 0
      ? { name: first as string, dims: x.dims.with(axis, 1) }
      : { name: second as string, dims: x.dims.with(axis, size - 1) };
  },
  (m, x) => {
    const axis = m.int(0, x.dims.length - 1);
    return {
      name: m.node(m.pick(['ReduceMean', 'ReduceMax', 'ReduceMin']), [x.name, m.list([axis])]),
      dims: x.dims.with(axis, 1),
    };
  },
  (m, x) => ({ name: m.node('Softmax', [x.name], { axis: m.int(0, x.dims.length - 1) }), dims: x.dims }),
  (m, x) => {
    const wide = x.dims.at(-1) as number;
    const high = m.int(1, 20);
    const weight = m.constant('float32', [wide, high], () =>
      m.random() < 0.5 ? 0 : (m.random() - 0.5) / wide,
    );
    return { name: m.node('MatMul', [x.name, weight]), dims: [...x.dims.slice(0, -1), high] };
  },
  (m, x) => {
    const [n, c, h, w] = x.dims;
    if (x.dims.length !== 4 || !n || !c || !h || !w || h * w > 200) return undefined;
    const high = m.int(1, 9);
    const weight = m.constant('float32', [high, c, 3, 3], () => (m.random() - 0.5) / c);
    return {
      name: m.node('Conv', [x.name, weight, m.constant('float32', [high])], { pads: [1, 1, 1, 1] }),
      dims: [n, high, h, w],
    };
  },
  (m, x) =>
    x.dims.length === 4
      ? { name: m.node('MaxPool', [x.name], { kernel_shape: [1, 1] }), dims: x.dims }
      : undefined,
  (m, x) => {
    const pads = x.dims.map(() => m.int(0, 1));
    const dims = x.dims.map((dim, axis) => dim + (pads[axis] as number));
    return dims.reduce((a, b) => a * b, 1) > 600
      ? undefined
      : { name: m.node('Pad', [x.name, m.list([...pads, ...pads.map(() => 0)])]), dims };
  },
];

/** A random graph in which values are read again long after they were made, and some are outputs as well. */
function randomGraph(seed: number): Model {
  const m = new Model(21, seed);
  const shapes = [[2, 3, 4, 5], [1, 4, 6, 6], [3, 7], [24]];
  const values: Value[] = [m.pick(shapes), m.pick(shapes)].map((dims) => ({
    name: m.input('float32', dims),
    dims,
  }));
  const count = m.int(3, 25);
  while (values.length < count) {
    const made = m.pick(rules)(m, m.pick(values.slice(m.int(0, 1) * -4)), values);
    if (made !== undefined) values.push(made);
  }
  const outputs = values.filter(() => m.int(0, 4) === 0).map(({ name }) => name);
  return m.output(...new Set([...outputs, (values.at(-1) as Value).name]));
}

test.each([1, 2])('250 random graphs on %d threads, each run twice', async (threads) => {
  const failures: string[] = [];
  for (let seed = 1; seed <= 250; seed++) {
    const m = randomGraph(1000 * threads + seed);
    const bytes = exportOnnx(m.graph());
    const expected = await runOnnxruntime(bytes, m.feeds);
    const session = await InferenceSession.create(bytes, { threads });
    // The second run meets an arena full of the first one's values.
    for (const outputs of [session.runSync(m.feeds), await session.run(m.feeds)]) {
      failures.push(
        ...compareAll(outputs, expected, { negligible: 1e-6 }).map((problem) => `${seed}: ${problem}`),
      );
    }
    session.release();
  }
  expect(failures.slice(0, 12)).toEqual([]);
});
