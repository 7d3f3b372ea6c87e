import { describe, expect, it } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession, Tensor } from '../../src/index.js';
import { expectError } from '../session/support.js';
import { agreeOnAll, agreeOnRandom, Model } from './support.js';

const indexType = (m: Model) => m.pick(['int32', 'int64'] as const);

describe('indices of each element', () => {
  agreeOnRandom('GatherElements', 40, (m) => {
    const dims = Array.from({ length: m.int(1, 3) }, () => m.int(1, 6));
    const axis = m.int(0, dims.length - 1);
    const indices = dims.map((dim, i) => (i === axis ? m.int(1, 8) : m.int(1, dim)));
    const size = dims[axis] ?? 1;
    const index = m.input(indexType(m), indices, () => m.int(-size, size - 1));
    m.output(m.node('GatherElements', [m.input(m.pick(['float32', 'int64']), dims), index], { axis }));
    return { dims, indices, axis };
  });

  agreeOnRandom('GatherND', 40, (m) => {
    const dims = Array.from({ length: m.int(2, 4) }, () => m.int(1, 5));
    const batch = m.int(0, 1);
    const width = m.int(1, dims.length - batch);
    const shape = [...dims.slice(0, batch), m.int(1, 4), width];
    const index = m.input('int64', shape, (i) => {
      const size = dims[batch + (i % width)] ?? 1;
      return m.int(-size, size - 1);
    });
    m.output(m.node('GatherND', [m.input('float32', dims), index], { batch_dims: batch }));
    return { dims, batch, shape };
  });

  for (const reduction of ['none', 'add', 'mul', 'min', 'max']) {
    agreeOnRandom(
      `ScatterElements, ${reduction}`,
      15,
      (m) => {
        const dims = [m.int(1, 5), m.int(4, 6)];
        const axis = m.int(0, 1);
        // Different indices along the axis: which of two equal ones wins is open.
        const shape = [m.int(1, dims[0] ?? 1), m.int(1, 4)];
        const step = shape[1] ?? 1;
        const index = m.input(indexType(m), shape, (i) => (axis === 0 ? Math.floor(i / step) : i % step));
        const type = m.pick(['float32', 'int32'] as const);
        m.output(
          m.node('ScatterElements', [m.input(type, dims), index, m.input(type, shape)], { axis, reduction }),
        );
        return { dims, axis, shape, type };
      },
      { opset: 18 },
    );
    agreeOnRandom(
      `ScatterND, ${reduction}`,
      15,
      (m) => {
        const dims = [m.int(3, 6), m.int(2, 3), m.int(1, 3)];
        const count = m.int(1, 3);
        const width = m.int(1, 2);
        const index = m.input('int64', [count, width], (i) => (i % width === 0 ? Math.floor(i / width) : -1));
        const updates = m.input('float32', [count, ...dims.slice(width)]);
        m.output(m.node('ScatterND', [m.input('float32', dims), index, updates], { reduction }));
        return { dims, count, width };
      },
      { opset: 18 },
    );
  }

  it('fails the run for an index outside its axis', async () => {
    const m = new Model();
    const index = m.input('int64', [1, 2], [0, 3]);
    m.output(m.node('GatherND', [m.input('float32', [2, 3]), index]));
    const session = await InferenceSession.create(exportOnnx(m.graph()), { threads: 1 });
    await expectError(
      () => session.runSync(m.feeds),
      'ERR_ESPALIER_ARGUMENT',
      /inside the axes that they index/,
    );
    const [name = ''] = Object.keys(m.feeds);
    const inside = session.runSync({ ...m.feeds, [name]: new Tensor('int64', [1n, -1n], [1, 2]) });
    expect(Object.values(inside)[0]?.dims).toEqual([1]);
    session.release();
  });
});

describe('order along an axis', () => {
  agreeOnRandom('TopK', 40, (m) => {
    const dims = [m.int(1, 4), m.int(3, 9), m.int(1, 4)];
    const axis = m.int(-3, 2);
    const size = dims.at(axis) ?? 1;
    const x = m.input(m.pick(['float32', 'float64', 'int64', 'int32']), dims);
    const attributes = { axis, largest: m.int(0, 1), sorted: 1 };
    m.output(...m.nodes('TopK', [x, m.list([m.int(1, size)])], 2, attributes));
    return { dims, attributes };
  });

  agreeOnAll(
    'ArgMax and ArgMin, of equal ones the first or the last',
    ['ArgMax', 'ArgMin'].flatMap((op) =>
      [0, 1, -1].flatMap((axis) =>
        [0, 1].flatMap((keepdims) => [0, 1].map((last) => ({ op, axis, keepdims, last }))),
      ),
    ),
    (m, { op, axis, keepdims, last }) => {
      const x = m.input(m.pick(['float32', 'int32']), [4, 5, 3], () => m.int(0, 4));
      m.output(m.node(op, [x], { axis, keepdims, select_last_index: last }));
    },
  );

  agreeOnAll(
    'CumSum',
    (['float32', 'float64', 'int32', 'int64'] as const).flatMap((type) =>
      [0, 1, 2].flatMap((axis) => [0, 1, 2, 3].map((bits) => ({ type, axis, bits }))),
    ),
    (m, { type, axis, bits }) => {
      const x = m.input(type, [3, 4, 5]);
      m.output(m.node('CumSum', [x, m.scalar(axis, 'int64')], { exclusive: bits & 1, reverse: bits >> 1 }));
    },
  );
});
