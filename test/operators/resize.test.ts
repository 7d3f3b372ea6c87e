import { describe } from 'vitest';
import { agreeOnAll, type Model } from './support.js';

const nearest = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'];
const coordinates = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
];

/** Up and down, by scales that float32 holds exactly, and by sizes. */
const targets = [
  { scales: [1, 1, 2, 2] },
  { scales: [1, 1, 0.5, 0.5] },
  { scales: [1, 1, 1.5, 0.75] },
  { scales: [1, 1, 3, 1] },
  { scales: [1, 1, 0.375, 2.5] },
  { sizes: [1, 2, 10, 14] },
  { sizes: [1, 2, 3, 4] },
  { sizes: [1, 2, 1, 1] },
  { sizes: [1, 2, 5, 9] },
] as const;

type Target = { readonly scales?: readonly number[]; readonly sizes?: readonly number[] };

function inputs(m: Model, dims: readonly number[], { scales, sizes }: Target): string[] {
  const x = m.input('float32', dims);
  return scales ? [x, '', m.constant('float32', [scales.length], scales)] : [x, '', '', m.list(sizes ?? [])];
}

describe('Resize', () => {
  for (const coordinate_transformation_mode of coordinates) {
    agreeOnAll(
      `nearest, ${coordinate_transformation_mode}`,
      targets.flatMap((target) => nearest.map((nearest_mode) => ({ target, nearest_mode }))),
      (m, { target, nearest_mode }) => {
        const attributes = { mode: 'nearest', coordinate_transformation_mode, nearest_mode };
        m.output(m.node('Resize', inputs(m, [1, 2, 5, 7], target), attributes));
      },
      { tolerance: 0 },
    );

    agreeOnAll(`linear, ${coordinate_transformation_mode}`, targets, (m, target) => {
      m.output(
        m.node('Resize', inputs(m, [1, 2, 5, 7], target), { mode: 'linear', coordinate_transformation_mode }),
      );
    });
  }

  agreeOnAll('some axes only', [{ scales: [2, 3] }, { sizes: [9, 3] }], (m, target) => {
    for (const mode of ['nearest', 'linear'])
      m.output(m.node('Resize', inputs(m, [1, 2, 5, 7], target), { mode, axes: [2, 3] }));
  });

  agreeOnAll(
    'one, two and three axes',
    // onnxruntime has no linear mode for one axis.
    [[7], [5, 7], [2, 5, 7]].flatMap((dims) =>
      (dims.length === 1 ? ['nearest'] : ['nearest', 'linear']).map((mode) => ({ dims, mode })),
    ),
    (m, { dims, mode }) => {
      const scales = dims.map((_, axis) => (dims.length - axis <= 2 ? 2 : 1));
      m.output(m.node('Resize', inputs(m, dims, { scales }), { mode }));
    },
  );

  agreeOnAll('keep_aspect_ratio_policy', ['not_larger', 'not_smaller'], (m, keep_aspect_ratio_policy) => {
    for (const mode of ['nearest', 'linear']) {
      const attributes = { mode, keep_aspect_ratio_policy, axes: [2, 3] };
      m.output(m.node('Resize', inputs(m, [1, 2, 4, 8], { sizes: [8, 12] }), attributes));
    }
  });

  agreeOnAll(
    'Upsample and the Resize of opset 10',
    ['nearest', 'linear'],
    (m, mode) => {
      const scales = m.constant('float32', [4], [1, 1, 2, 3]);
      m.output(m.node('Resize', [m.input('float32', [1, 2, 5, 7]), scales], { mode }));
    },
    { opset: 10 },
  );

  agreeOnAll(
    'Upsample',
    [7, 9].flatMap((opset) => ['nearest', 'linear'].map((mode) => ({ opset, mode }))),
    (m, { opset, mode }) => {
      const x = m.input('float32', [1, 2, 5, 7]);
      if (opset < 9) m.output(m.node('Upsample', [x], { mode, scales: [1, 1, 2, 3] }));
      else m.output(m.node('Upsample', [x, m.constant('float32', [4], [1, 1, 2, 3])], { mode }));
    },
    ({ opset }) => ({ opset }),
  );
});
