import { describe } from 'vitest';
import { agreeOnAll, agreeOnRandom, type Model } from './support.js';

const channels = (m: Model, count: number) => [m.input('float32', [count]), m.input('float32', [count])];

describe('operators made of others', () => {
  agreeOnAll(
    'activations',
    ['Celu', 'ThresholdedRelu', 'Shrink', 'Softsign', 'Hardmax', 'IsNaN', 'IsInf', 'Mean'],
    (m, op) => {
      const special = (i: number) => [0.5, -2, NaN, Infinity, -Infinity, 0, 3, -0.25][i % 8] ?? 0;
      const x = m.input('float32', [3, 8], op.startsWith('Is') ? special : undefined);
      m.output(m.node(op, [x]));
    },
  );

  agreeOnAll(
    'Einsum',
    [
      ['ij,jk->ik', [3, 4], [4, 5]],
      ['bij,bjk->bik', [2, 3, 4], [2, 4, 5]],
      ['bhid,bhjd->bhij', [2, 3, 4, 5], [2, 3, 6, 5]],
      ['...ij,jk', [2, 3, 4], [4, 5]],
      ['...ii->...i', [2, 3, 3]],
      ['ij->', [3, 4]],
      ['ij,kl->jlik', [2, 3], [4, 5]],
      ['i,i', [5], [5]],
      ['bn,anm,bm->ba', [2, 3], [4, 3, 5], [2, 5]],
      ['ij,ij->i', [3, 4], [3, 4]],
    ] as const,
    (m, [equation, ...shapes]) => {
      m.output(
        m.node(
          'Einsum',
          shapes.map((dims) => m.input('float32', dims)),
          { equation },
        ),
      );
    },
  );

  agreeOnAll(
    'normalisations',
    ['InstanceNormalization', 'LRN', 'LpNormalization', 'MeanVarianceNormalization'] as const,
    (m, op) => {
      const x = m.input('float32', [2, 6, 3, 4]);
      const attributes = op === 'LRN' ? { size: 2 * m.int(0, 3) + 1 } : {};
      m.output(m.node(op, op === 'InstanceNormalization' ? [x, ...channels(m, 6)] : [x], attributes));
    },
  );

  agreeOnAll(
    'GroupNormalization, of groups and of channels',
    [18, 21],
    (m, opset) => {
      const parameters = channels(m, opset === 18 ? 3 : 6);
      m.output(
        m.node('GroupNormalization', [m.input('float32', [2, 6, 3, 4]), ...parameters], { num_groups: 3 }),
      );
    },
    (opset) => ({ opset }),
  );

  agreeOnAll('reductions of logarithms', ['ReduceLogSum', 'ReduceLogSumExp'], (m, op) => {
    const positive = m.input('float32', [3, 4, 5], () => m.random() + 0.1);
    m.output(m.node(op, [positive, m.list([1])]), m.node(op, [positive], { keepdims: 0 }));
  });

  agreeOnRandom('masks', 20, (m) => {
    const x = m.input('float32', [2, m.int(1, 5), m.int(1, 5)]);
    const k = m.int(-3, 3);
    const values = m.constant('float32', [2], [-1, 2]);
    const indices = m.input('int64', [3, 2], () => m.int(-6, 5));
    m.output(
      m.node('Trilu', [x, m.scalar(k, 'int64')], { upper: m.int(0, 1) }),
      m.node('OneHot', [indices, m.scalar(6, 'int64'), values], { axis: m.int(-3, 2) }),
      m.node('EyeLike', [m.input('float32', [4, 5])], { k }),
    );
    return { k };
  });

  agreeOnAll('ReverseSequence', [0, 1], (m, time) => {
    const dims = time === 0 ? [5, 3, 2] : [3, 5, 2];
    const lengths = m.input('int64', [3], [5, 1, 3]);
    m.output(
      m.node('ReverseSequence', [m.input('float32', dims), lengths], {
        time_axis: time,
        batch_axis: 1 - time,
      }),
    );
  });
});

describe('windows over any number of axes', () => {
  agreeOnRandom('Conv', 15, (m) => {
    const groups = m.int(1, 2);
    const spatial = [m.int(3, 6), m.int(3, 6), m.int(3, 6)];
    const kernel = spatial.map(() => m.int(1, 3));
    const pads = [...kernel, ...kernel].map((size) => m.int(0, size - 1));
    const strides = kernel.map(() => m.int(1, 2));
    const x = m.input('float32', [2, 2 * groups, ...spatial]);
    const weights = [m.constant('float32', [3 * groups, 2, ...kernel]), m.constant('float32', [3 * groups])];
    m.output(m.node('Conv', [x, ...weights], { group: groups, pads, strides }));
    return { groups, spatial, kernel, pads, strides };
  });

  agreeOnRandom('Conv with weights of run time', 10, (m) => {
    const kernel = [m.int(1, 3), m.int(1, 3)];
    const dilations = [m.int(1, 2), m.int(1, 2)];
    const x = m.input('float32', [1, 4, 7, 8]);
    m.output(m.node('Conv', [x, m.input('float32', [6, 2, ...kernel])], { group: 2, dilations }));
    return { kernel, dilations };
  });

  agreeOnRandom('ConvTranspose', 15, (m) => {
    const groups = m.int(1, 2);
    const spatial = [m.int(2, 4), m.int(2, 4), m.int(2, 4)];
    const kernel = spatial.map(() => m.int(1, 3));
    const pads = [...kernel, ...kernel].map((size) => m.int(0, size - 1));
    const strides = kernel.map(() => m.int(1, 3));
    const x = m.input('float32', [2, 2 * groups, ...spatial]);
    m.output(
      m.node('ConvTranspose', [x, m.constant('float32', [2 * groups, 3, ...kernel])], {
        group: groups,
        pads,
        strides,
      }),
    );
    return { groups, spatial, kernel, pads, strides };
  });

  for (const op of ['MaxPool', 'AveragePool', 'LpPool']) {
    agreeOnRandom(op, 15, (m) => {
      const kernel = [m.int(1, 3), m.int(1, 3), m.int(1, 3)];
      const pads = [...kernel, ...kernel].map((size) => m.int(0, size - 1));
      const strides = kernel.map(() => m.int(1, 3));
      const counts = op === 'AveragePool' ? { count_include_pad: m.int(0, 1) } : {};
      const x = m.input('float32', [2, 3, 6, 7, 5]);
      m.output(m.node(op, [x], { kernel_shape: kernel, pads, strides, ...counts }));
      return { kernel, pads, strides, counts };
    });
  }

  agreeOnRandom('MaxPool with indices, and its undoing', 10, (m) => {
    const kernel = [2, m.int(1, 3)];
    const x = m.input('float32', [2, 3, 6, 6]);
    const [y = '', places = ''] = m.nodes('MaxPool', [x], 2, { kernel_shape: kernel, strides: kernel });
    m.output(y, places, m.node('MaxUnpool', [y, places], { kernel_shape: kernel, strides: kernel }));
    return { kernel };
  });

  agreeOnRandom('Col2Im', 10, (m) => {
    const [block, strides] = [
      [m.int(1, 3), m.int(1, 3)],
      [m.int(1, 2), m.int(1, 2)],
    ];
    const image = [m.int(4, 7), m.int(4, 7)];
    const places = image.map((size, i) => Math.floor((size - (block[i] ?? 1)) / (strides[i] ?? 1)) + 1);
    const rows = 2 * (block[0] ?? 1) * (block[1] ?? 1);
    const x = m.input('float32', [2, rows, (places[0] ?? 1) * (places[1] ?? 1)]);
    m.output(m.node('Col2Im', [x, m.list(image), m.list(block)], { strides }));
    return { block, strides, image };
  });
});
