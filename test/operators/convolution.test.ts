import { describe } from 'vitest';
import { agreeOnAll, agreeOnRandom, type Model, type Plain } from './support.js';

/** A list of `axes` numbers in [low, high]. */
function sizes(m: Model, axes: number, low: number, high: number): number[] {
  return Array.from({ length: axes }, () => m.int(low, high));
}

interface ConvShape {
  readonly axes: number;
  readonly groups: number;
  readonly channelsPerGroup: number;
  readonly outputsPerGroup: number;
  readonly kernel: readonly number[];
  readonly attributes: Plain;
  readonly spatial: readonly number[];
}

/** A Conv with random weights, and most times a bias. */
function addConv(m: Model, shape: ConvShape): string {
  const { groups, channelsPerGroup, outputsPerGroup, kernel, spatial, attributes } = shape;
  const x = m.input('float32', [m.int(1, 3), groups * channelsPerGroup, ...spatial]);
  const w = m.constant('float32', [groups * outputsPerGroup, channelsPerGroup, ...kernel]);
  const bias = m.int(0, 3) === 0 ? [] : [m.constant('float32', [groups * outputsPerGroup])];
  return m.node('Conv', [x, w, ...bias], { ...attributes, group: groups });
}

/** Spatial dims that the kernel fits into without padding. */
function roomFor(m: Model, kernel: readonly number[], dilations: readonly number[]): number[] {
  return kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1) + m.int(1, 9));
}

describe('Conv', () => {
  const windows = (m: Model) => {
    const axes = m.int(1, 2);
    const kernel = sizes(m, axes, 1, 5);
    const dilations = sizes(m, axes, 1, 3);
    const attributes = {
      strides: sizes(m, axes, 1, 3),
      dilations,
      pads: m.pick([undefined, sizes(m, 2 * axes, 0, 3)]),
      auto_pad: undefined as string | undefined,
      kernel_shape: m.pick([undefined, kernel]),
    };
    return { axes, kernel, spatial: roomFor(m, kernel, dilations), attributes };
  };

  agreeOnRandom('one group, any window', 120, (m) => {
    const shape = { ...windows(m), groups: 1, channelsPerGroup: m.int(1, 20), outputsPerGroup: m.int(1, 40) };
    m.output(addConv(m, shape));
    return shape;
  });

  agreeOnRandom('3 x 3 over enough pixels for Winograd, with what follows fused', 10, (m) => {
    const [channels, outputs] = [m.int(16, 40), m.int(16, 50)];
    const pads = m.pick([undefined, [1, 1, 1, 1], [0, 1, 2, 0], [2, 2, 2, 2]]);
    const [before = 0, left = 0, after = 0, right = 0] = pads ?? [];
    const x = m.input('float32', [m.int(1, 2), channels, m.int(20, 45), m.int(20, 110)]);
    const w = m.constant('float32', [outputs, channels, 3, 3]);
    const y = m.node('Conv', [x, w, m.constant('float32', [outputs])], { pads });
    const keeps = before + after === 2 && left + right === 2 && channels === outputs;
    m.output(m.node('Relu', [keeps ? m.node('Add', [y, x]) : y]));
    return { channels, outputs, pads };
  });

  agreeOnRandom('several groups', 60, (m) => {
    const shape = {
      ...windows(m),
      groups: m.int(2, 4),
      channelsPerGroup: m.int(2, 5),
      outputsPerGroup: m.int(1, 20),
    };
    m.output(addConv(m, shape));
    return shape;
  });

  agreeOnRandom('depthwise, with and without a multiplier', 60, (m) => {
    const shape = { ...windows(m), groups: m.int(2, 9), channelsPerGroup: 1, outputsPerGroup: m.int(1, 3) };
    m.output(addConv(m, shape));
    return shape;
  });

  for (const groups of [1, 3]) {
    agreeOnAll(
      `auto_pad with ${groups} groups`,
      ['SAME_UPPER', 'SAME_LOWER', 'VALID', 'NOTSET'].flatMap((mode) =>
        [1, 2, 3].map((stride) => [mode, stride] as const),
      ),
      (m, [auto_pad, stride]) => {
        const kernel = sizes(m, 2, 1, 4);
        const spatial = roomFor(m, kernel, []);
        const attributes = { auto_pad, strides: [stride, m.int(1, 2)] };
        m.output(
          addConv(m, {
            axes: 2,
            groups,
            channelsPerGroup: m.int(1, 3),
            outputsPerGroup: 5,
            kernel,
            spatial,
            attributes,
          }),
        );
        return { kernel, spatial };
      },
    );
  }

  agreeOnAll(
    '1x1 windows over 1 to 70 channels',
    [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 70],
    (m, channels) => {
      const spatial = sizes(m, 2, 1, 9);
      const outputsPerGroup = m.int(1, 70);
      const attributes = {
        strides: m.pick([undefined, [2, 1], [1, 3]]),
        pads: m.pick([undefined, [0, 1, 2, 0]]),
      };
      m.output(
        addConv(m, {
          axes: 2,
          groups: 1,
          channelsPerGroup: channels,
          outputsPerGroup,
          kernel: [1, 1],
          spatial,
          attributes,
        }),
      );
      return { spatial, outputsPerGroup, attributes };
    },
  );

  agreeOnAll('planes larger than one panel', [3, 16, 64], (m, channels) => {
    const attributes = { pads: [1, 1, 1, 1] };
    const shape = {
      axes: 2,
      groups: 1,
      channelsPerGroup: channels,
      outputsPerGroup: 33,
      kernel: [3, 3],
      spatial: [53, 47],
      attributes,
    };
    m.output(addConv(m, shape));
  });

  agreeOnAll(
    'windows wider than the input and its strides',
    [
      [9, 9],
      [1, 9],
      [9, 1],
      [5, 7],
    ],
    (m, kernel) => {
      const attributes = { pads: [4, 4, 4, 4], strides: [m.int(1, 7), m.int(1, 7)] };
      for (const groups of [1, 2]) {
        m.output(
          addConv(m, {
            axes: 2,
            groups,
            channelsPerGroup: 1,
            outputsPerGroup: 3,
            kernel,
            spatial: [2, 3],
            attributes,
          }),
        );
      }
    },
  );
});

describe('ConvTranspose', () => {
  const build = (m: Model, attributes: Plain, kernel: readonly number[], axes: number) => {
    const groups = m.int(1, 3);
    const [channels, outputs] = [groups * m.int(1, 5), m.int(1, 6)];
    const x = m.input('float32', [m.int(1, 2), channels, ...sizes(m, axes, 2, 7)]);
    const w = m.constant('float32', [channels, outputs, ...kernel]);
    const bias = m.int(0, 1) === 0 ? [] : [m.constant('float32', [groups * outputs])];
    m.output(m.node('ConvTranspose', [x, w, ...bias], { ...attributes, group: groups }));
  };

  agreeOnRandom('any window', 100, (m) => {
    const axes = m.int(1, 2);
    const kernel = sizes(m, axes, 2, 5);
    const strides = sizes(m, axes, 1, 3);
    const dilations = sizes(m, axes, 1, 2);
    const output_padding = m.pick([undefined, strides.map((stride) => m.int(0, stride - 1))]);
    const pads = m.pick([undefined, sizes(m, 2 * axes, 0, 1)]);
    const attributes = { strides, dilations, output_padding, pads };
    build(m, attributes, kernel, axes);
    return { attributes, kernel };
  });

  agreeOnAll(
    'auto_pad',
    ['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((mode) => [1, 2, 3].map((s) => [mode, s] as const)),
    (m, [auto_pad, stride]) => {
      const kernel = sizes(m, 2, 3, 5);
      build(m, { auto_pad, strides: [stride, 2] }, kernel, 2);
      return kernel;
    },
  );

  agreeOnAll(
    'output_shape',
    [
      [10, 11],
      [9, 12],
      [11, 10],
    ],
    (m, output_shape) => {
      const x = m.input('float32', [1, 3, 5, 5]);
      const w = m.constant('float32', [3, 4, 3, 3]);
      m.output(m.node('ConvTranspose', [x, w], { strides: [2, 2], output_shape }));
    },
  );
});
