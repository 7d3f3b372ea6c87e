import { describe } from 'vitest';
import { agreeOnAll, agreeOnRandom } from './support.js';

describe('reading between pixels', () => {
  agreeOnAll(
    'GridSample',
    ['linear', 'nearest', 'cubic'].flatMap((mode) =>
      ['zeros', 'border', 'reflection'].flatMap((padding) =>
        [0, 1].map((corners) => ({ mode, padding, corners })),
      ),
    ),
    (m, { mode, padding, corners }) => {
      // Reaches outside; no coordinate is half way between two pixels, where rounding would decide.
      const grid = m.input('float32', [2, 4, 5, 2], () => m.random() * 3.1 - 1.55);
      const attributes = { mode, padding_mode: padding, align_corners: corners };
      m.output(m.node('GridSample', [m.input('float32', [2, 3, 6, 7]), grid], attributes));
    },
    { opset: 20 },
  );

  agreeOnRandom(
    'RoiAlign',
    20,
    (m) => {
      const regions = m.input('float32', [4, 4], (i) => (i % 4 < 2 ? m.random() * 5 : 5 + m.random() * 9));
      const images = m.input('int64', [4], () => m.int(0, 1));
      const attributes = {
        mode: m.pick(['avg', 'max']),
        output_height: m.int(1, 4),
        output_width: m.int(1, 4),
        sampling_ratio: m.int(0, 3),
        coordinate_transformation_mode: m.pick(['half_pixel', 'output_half_pixel']),
      };
      m.output(m.node('RoiAlign', [m.input('float32', [2, 3, 12, 13]), regions, images], attributes));
      return attributes;
    },
    { opset: 16 },
  );

  agreeOnRandom(
    'Resize by cubics, and of any axes',
    30,
    (m) => {
      const mode = m.pick(['cubic', 'linear', 'nearest']);
      const batch = mode === 'nearest' ? m.int(1, 2) : 1;
      const dims = [1, 2, 7, 9];
      const sizes = [batch, 2, m.int(3, 15), m.int(3, 15)];
      const attributes = {
        mode,
        coordinate_transformation_mode: m.pick(['half_pixel', 'align_corners', 'asymmetric']),
        exclude_outside: mode === 'cubic' ? m.int(0, 1) : undefined,
      };
      m.output(m.node('Resize', [m.input('float32', dims), '', '', m.list(sizes)], attributes));
      return { dims, sizes, attributes };
    },
    { opset: 18 },
  );

  agreeOnRandom(
    'Resize with antialiasing',
    15,
    (m) => {
      const attributes = { mode: m.pick(['linear', 'cubic']), antialias: 1 };
      const sizes = [1, 2, m.int(3, 12), m.int(3, 12)];
      m.output(m.node('Resize', [m.input('float32', [1, 2, 12, 12]), '', '', m.list(sizes)], attributes));
      return { sizes, attributes };
    },
    { opset: 18 },
  );

  agreeOnAll(
    'signals',
    [8, 15, 16],
    (m, length) => {
      const x = m.input('float32', [2, 40, 1]);
      const window = m.node('HannWindow', [m.scalar(length, 'int64')]);
      m.output(
        m.node('STFT', [x, m.scalar(4, 'int64'), window, m.scalar(length, 'int64')]),
        m.node('DFT', [x], { axis: 1, onesided: 1 }),
        m.node('DFT', [m.input('float32', [2, length, 2])], { axis: 1, inverse: 1 }),
      );
    },
    { opset: 17 },
  );
});
