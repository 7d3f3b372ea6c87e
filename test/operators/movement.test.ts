import { describe, expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession, Tensor } from '../../src/index.js';
import type { DataType } from '../../src/tensor.js';
import { agreeOnAll, agreeOnRandom, Model, permutations } from './support.js';

const exact = { tolerance: 0 };
const types: DataType[] = ['float32', 'float64', 'int8', 'uint8', 'int32', 'int64', 'bool'];
const sizes = (m: Model, count: number, low: number, high: number) =>
  Array.from({ length: count }, () => m.int(low, high));

describe('Transpose', () => {
  const shapes = [
    [2, 3, 4],
    [17, 1, 5],
    [1, 16, 33],
    [3, 4, 5, 2],
    [2, 1, 16, 20],
    [2, 3, 1, 2, 4],
  ];
  for (const type of ['float32', 'int64', 'uint8'] as const) {
    agreeOnAll(
      `every order of axes, ${type}`,
      shapes.flatMap((dims) => permutations([...dims.keys()]).map((perm) => ({ dims, perm }))),
      (m, { dims, perm }) => m.output(m.node('Transpose', [m.input(type, dims)], { perm })) && undefined,
      exact,
    );
  }
  agreeOnAll(
    'no order reverses the axes',
    [[], [3], [3, 4], [2, 3, 4]],
    (m, dims) => {
      m.output(m.node('Transpose', [m.input('float32', dims)]));
    },
    exact,
  );
  agreeOnAll(
    'large planes',
    [
      [1, 2, 3, 0],
      [0, 3, 1, 2],
      [0, 2, 1, 3],
      [3, 2, 1, 0],
    ],
    (m, perm) => {
      m.output(m.node('Transpose', [m.input('float32', [3, 41, 29, 7])], { perm }));
    },
    { ...exact, session: { threads: 3 } },
  );
});

describe('Concat and Split', () => {
  agreeOnRandom(
    'Concat of one to four',
    60,
    (m) => {
      const type = m.pick(types);
      const dims = sizes(m, m.int(1, 4), 1, 5);
      const axis = m.int(0, dims.length - 1);
      const parts = Array.from({ length: m.int(1, 4) }, () => {
        const own = dims.with(axis, m.int(0, 4));
        return m.pick([m.input.bind(m), m.input.bind(m), m.constant.bind(m)])(type, own);
      });
      m.output(m.node('Concat', parts, { axis: m.pick([axis, axis - dims.length]) }));
      return { type, dims, axis, parts };
    },
    exact,
  );

  agreeOnRandom(
    'Split by sizes and by count',
    60,
    (m) => {
      const type = m.pick(types);
      const dims = sizes(m, m.int(1, 4), 1, 5);
      const axis = m.int(0, dims.length - 1);
      const parts = sizes(m, m.int(1, 4), 0, 4);
      const size = parts.reduce((sum, part) => sum + part, 0);
      if (m.int(0, 1) === 0) {
        const x = m.input(type, dims.with(axis, size));
        m.output(
          ...m.nodes('Split', [x, m.list(parts)], parts.length, { axis: m.pick([axis, axis - dims.length]) }),
        );
      } else {
        const x = m.input(type, dims.with(axis, parts.length * 3 - m.int(0, 1)));
        m.output(...m.nodes('Split', [x], parts.length, { axis, num_outputs: parts.length }));
      }
      return { type, dims, axis, parts };
    },
    exact,
  );

  agreeOnAll(
    'Split in opset 7 and 11 form',
    [[2, 3], undefined],
    (m, split) => {
      const x = m.input('float32', [2, split === undefined ? 4 : 5]);
      m.output(...m.nodes('Split', [x], 2, { axis: 1, split }));
    },
    { ...exact, opset: 11 },
  );
});

describe('Slice', () => {
  agreeOnRandom(
    'any starts, ends, axes and steps',
    150,
    (m) => {
      const type = m.pick(types);
      const dims = sizes(m, m.int(1, 4), 1, 7);
      const axes = [...dims.keys()].filter(() => m.int(0, 1) === 0);
      const extreme = () => m.pick([m.int(-9, 9), m.int(-9, 9), 2 ** 53, -(2 ** 53), 0, -1]);
      const steps = axes.map(() => m.pick([1, 2, 3, -1, -2, -3, 100]));
      // Going back from before the first element is nothing in NumPy and here, one element in onnxruntime.
      const least = (i: number, axis: number) => ((steps[i] ?? 1) < 0 ? -(dims[axis] ?? 0) : -Infinity);
      const starts = axes.map((axis, i) => Math.max(extreme(), least(i, axis)));
      const ends = axes.map(extreme);
      const named = axes.map((axis) => m.pick([axis, axis - dims.length]));
      m.output(
        m.node('Slice', [m.input(type, dims), ...[starts, ends, named, steps].map((list) => m.list(list))]),
      );
      return { type, dims, axes, starts, ends, steps };
    },
    exact,
  );

  agreeOnAll(
    'attributes, before opset 10',
    [
      { starts: [1, -2], ends: [1000, -1] },
      { starts: [-3], ends: [-1], axes: [1] },
    ],
    (m, attributes) => {
      m.output(m.node('Slice', [m.input('float32', [4, 5])], attributes));
    },
    { ...exact, opset: 9 },
  );

  agreeOnAll(
    'no axes, no steps',
    [
      [1, 2],
      [0, -1],
    ],
    (m, starts) => {
      m.output(m.node('Slice', [m.input('int32', [4, 5]), m.list(starts), m.list([3, 5])]));
    },
    exact,
  );
});

describe('Expand, Tile, Pad', () => {
  agreeOnRandom(
    'Expand',
    60,
    (m) => {
      const type = m.pick(types);
      const to = sizes(m, m.int(0, 4), 1, 5);
      const from = to.map((dim) => m.pick([1, dim])).slice(m.int(0, to.length));
      const asked = to.map((dim, axis) =>
        (from[axis - to.length + from.length] ?? 1) === dim ? m.pick([1, dim]) : dim,
      );
      m.output(m.node('Expand', [m.input(type, from), m.list(asked)]));
      return { type, from, asked };
    },
    exact,
  );

  agreeOnRandom(
    'Tile',
    60,
    (m) => {
      const type = m.pick(types);
      const dims = sizes(m, m.int(1, 4), 1, 4);
      const repeats = dims.map(() => m.int(0, 3));
      m.output(m.node('Tile', [m.input(type, dims), m.list(repeats)]));
      return { type, dims, repeats };
    },
    exact,
  );

  agreeOnRandom(
    'Pad by zero, by a value, by a value known at run time, and cropping',
    120,
    (m) => {
      const type = m.pick(['float32', 'int32', 'int64', 'float64', 'uint8'] as const);
      const dims = sizes(m, m.int(1, 4), 3, 6);
      const axes = m.int(0, 1) === 0 ? undefined : [...dims.keys()].filter(() => m.int(0, 1) === 0);
      const count = (axes ?? dims).length;
      const pads = sizes(m, 2 * count, -1, 3);
      const value = m.pick(['', m.scalar(7, type), m.input(type, [])]);
      const inputs = [m.input(type, dims), m.list(pads), value, ...(axes ? [m.list(axes)] : [])];
      m.output(m.node('Pad', inputs));
      return { type, dims, pads, axes, value };
    },
    exact,
  );

  agreeOnAll(
    'Pad with attributes, before opset 11',
    [
      [0, 1, 2, 0],
      [-1, 0, 1, 1],
    ],
    (m, pads) => {
      m.output(m.node('Pad', [m.input('float32', [3, 4])], { pads, value: 1.5 }));
    },
    { ...exact, opset: 7 },
  );
});

describe('Gather', () => {
  agreeOnRandom(
    'constant and run-time indices, also negative',
    100,
    (m) => {
      const type = m.pick(types);
      const dims = sizes(m, m.int(1, 4), 1, 5);
      const axis = m.int(0, dims.length - 1);
      const size = dims[axis] as number;
      const indexDims = sizes(m, m.int(0, 2), 0, 4);
      const fill = () => m.int(-size, size - 1);
      const indices = m.pick([m.input.bind(m), m.constant.bind(m)])(
        m.pick(['int32', 'int64']),
        indexDims,
        fill,
      );
      m.output(
        m.node('Gather', [m.input(type, dims), indices], { axis: m.pick([axis, axis - dims.length]) }),
      );
      return { type, dims, axis, indexDims };
    },
    exact,
  );

  test.each([5, -6, 2 ** 31 - 1, -(2 ** 31)])(
    'index %d outside the axis is an error, and the session lives on',
    async (bad) => {
      const m = new Model();
      const indices = m.input('int32', [2], [0, bad]);
      m.output(m.node('Gather', [m.input('float32', [5, 3]), indices]));
      const session = await InferenceSession.create(exportOnnx(m.graph()), { threads: 2 });
      const failure = { code: 'ERR_ESPALIER_ARGUMENT', message: expect.stringMatching(/Gather.*indices/) };
      expect(() => session.runSync(m.feeds)).toThrow(expect.objectContaining(failure));
      await expect(session.run(m.feeds)).rejects.toMatchObject(failure);
      const good = { ...m.feeds, [indices]: new Tensor('int32', [4, -5], [2]) };
      expect(session.runSync(good)).toMatchObject({ value0_0: { dims: [2, 3] } });
      session.release();
    },
  );
});

describe('DepthToSpace and SpaceToDepth', () => {
  agreeOnAll(
    'both modes, blocks of 1 to 3',
    ['DCR', 'CRD'].flatMap((mode) => [1, 2, 3].map((blocksize) => ({ mode, blocksize }))),
    (m, { mode, blocksize }) => {
      const channels = blocksize * blocksize * m.int(1, 3);
      const deep = m.input('float32', [m.int(1, 2), channels, m.int(1, 4), m.int(1, 4)]);
      m.output(m.node('DepthToSpace', [deep], { mode, blocksize }));
      const wide = m.input('float32', [
        m.int(1, 2),
        m.int(1, 3),
        blocksize * m.int(1, 4),
        blocksize * m.int(1, 4),
      ]);
      m.output(m.node('SpaceToDepth', [wide], { blocksize }));
    },
    exact,
  );
});

describe('views', () => {
  agreeOnAll(
    'Reshape, Flatten, Squeeze, Unsqueeze, Identity',
    types,
    (m, type) => {
      const x = m.input(type, [2, 1, 3, 4]);
      const reshaped = m.node('Reshape', [x, m.list([0, -1, 2])]);
      m.output(reshaped, m.node('Flatten', [x], { axis: 2 }), m.node('Flatten', [x], { axis: 0 }));
      m.output(m.node('Squeeze', [x, m.list([1])]), m.node('Squeeze', [x]));
      m.output(m.node('Unsqueeze', [reshaped, m.list([0, -1])]), m.node('Identity', [reshaped]));
    },
    exact,
  );
});
