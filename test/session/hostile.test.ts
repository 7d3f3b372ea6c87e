import { describe, expect, it } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { fromNumbers } from '../../src/graph/index.js';
import { InferenceSession, type Tensor } from '../../src/index.js';
import { Model } from '../operators/support.js';
import { expectError, policyModel } from './support.js';

/** Runs a model that must be refused by an error of this code. */
async function expectRefusal(build: (m: Model) => string, code: 'MEMORY' | 'UNSUPPORTED'): Promise<void> {
  const m = new Model();
  const bytes = exportOnnx(m.output(build(m)).graph());
  await expectError(
    async () => {
      const session = await InferenceSession.create(bytes, { threads: 1 });
      session.runSync(m.feeds);
    },
    `ERR_ESPALIER_${code}`,
    /./,
  );
}

const pixel = (m: Model, channels = 1) => m.input('float32', [1, channels, 1, 1]);

describe('models that ask for too much', () => {
  // 2^31 x 2^31 taps of 4 bytes, and 2^32 rows of 2^32 numbers, are 0 bytes when counted in 64 bits.
  it.each(['MaxPool', 'AveragePool'])('%s with a kernel or a reach beyond any memory', async (op) => {
    const half = 2 ** 31;
    const kernel = { kernel_shape: [half, half], pads: [half - 1, half - 1, 0, 0] };
    await expectRefusal((m) => m.node(op, [pixel(m)], kernel), 'UNSUPPORTED');
    for (const dilation of [2 ** 32 - 1, 2 ** 40, 2 ** 52]) {
      const attributes = {
        kernel_shape: [2, 2],
        dilations: [dilation, dilation],
        pads: [dilation, dilation, 0, 0],
      };
      await expectRefusal((m) => m.node(op, [pixel(m)], attributes), 'UNSUPPORTED');
    }
  });

  it('a window whose rows no memory holds', async () => {
    const far = 2 ** 29;
    const attributes = { kernel_shape: [2, 2], dilations: [far, far], pads: [far, far, 0, 0] };
    await expectRefusal((m) => m.node('MaxPool', [pixel(m)], attributes), 'UNSUPPORTED');
  });

  it('a depthwise convolution with a reach beyond any memory', async () => {
    const dilation = 2 ** 32 - 1;
    const pads = [dilation - 1, dilation - 1, 1, 1]; // no tap meets the pixel
    const attributes = { group: 2, dilations: [dilation, dilation], pads };
    const weights = (m: Model) => m.constant('float32', [2, 1, 2, 2]);
    await expectRefusal((m) => m.node('Conv', [pixel(m, 2), weights(m)], attributes), 'UNSUPPORTED');
  });

  it('more matrices and positions than a plan lists', async () => {
    await expectRefusal((m) => {
      const many = m.node('Expand', [m.input('float32', [1, 1, 1]), m.list([2 ** 29, 1, 1])]);
      return m.node('MatMul', [many, m.input('float32', [1, 1])]);
    }, 'UNSUPPORTED');
    await expectRefusal(
      (m) => m.node('Resize', [pixel(m), '', '', m.list([1, 1, 1, 2 ** 30])]),
      'UNSUPPORTED',
    );
  });
});

describe('models whose parts do not fit', () => {
  it('biases, weights and values of another type', async () => {
    const image = (m: Model) => m.input('float32', [1, 2, 4, 4]);
    await expectRefusal(
      (m) => m.node('Conv', [image(m), m.constant('float32', [2, 2, 1, 1]), m.constant('int8', [2])]),
      'UNSUPPORTED',
    );
    await expectRefusal(
      (m) =>
        m.node('Gemm', [m.input('float32', [1, 2]), m.constant('float32', [2, 3]), m.input('int8', [3])]),
      'UNSUPPORTED',
    );
    await expectRefusal(
      (m) => m.node('Pad', [image(m), m.list([0, 0, 1, 1, 0, 0, 1, 1]), m.constant('int8', [])]),
      'UNSUPPORTED',
    );
  });

  it('batch normalisation with lists of different lengths, behind a convolution', async () => {
    const m = new Model();
    const conv = m.node('Conv', [m.input('float32', [1, 2, 4, 4]), m.constant('float32', [2, 2, 1, 1])]);
    const lists = [0, 1, 2, 3].map(() => m.constant('float32', [2]));
    const graph = m.output(m.node('BatchNormalization', [conv, ...lists])).graph();
    const short = fromNumbers('float32', [1], [0.5]);
    const bytes = exportOnnx({ ...graph, constants: new Map(graph.constants).set(lists[2] ?? '', short) });
    await expectError(
      () => InferenceSession.create(bytes),
      'ERR_ESPALIER_SHAPE',
      /BatchNormalization.*\[2\]/,
    );
  });
});

describe('damaged models', () => {
  it('cut after any byte are an error or a model', async () => {
    const model = policyModel();
    for (let length = 0; length < model.length; length += length < 200 ? 1 : 97) {
      const made = await InferenceSession.create(model.subarray(0, length), { threads: 1 }).catch(
        ({ code }: { code?: string }) => code,
      );
      if (made instanceof InferenceSession) made.release();
      else expect(made).toMatch(/^ERR_ESPALIER_(MODEL|UNSUPPORTED|SHAPE|TYPE)$/);
    }
  });

  it('with any bit changed are an error, or run', async () => {
    const m = new Model(21, 3);
    const x = m.input('float32', [1, 2, 5, 5]);
    const conv = m.node('Conv', [x, m.constant('float32', [3, 2, 3, 3])], {
      pads: [1, 1, 1, 1],
      strides: [2, 2],
    });
    const pooled = m.node('MaxPool', [conv], { kernel_shape: [2, 2] });
    m.output(m.node('Softmax', [m.node('Reshape', [pooled, m.list([1, -1])])], { axis: 1 }));
    const model = exportOnnx(m.graph());
    using whole = await InferenceSession.create(model, { threads: 1 });
    whole.runSync(m.feeds);
    const codes = new Set<string | undefined>();
    for (let at = 0; at < model.length; at++) {
      for (const bit of [at % 8, (at + 3) % 8, 7]) {
        const damaged = new Uint8Array(model);
        damaged[at] = (damaged[at] as number) ^ (1 << bit);
        try {
          using session = await InferenceSession.create(damaged, { threads: 1 });
          session.runSync(m.feeds);
          codes.add('runs');
        } catch (error) {
          codes.add((error as { code?: string }).code ?? String(error));
        }
      }
    }
    for (const code of codes) expect(code).toMatch(/^(runs|ERR_ESPALIER_[A-Z]+)$/);
    expect(codes).toContain('runs');
    expect(codes).toContain('ERR_ESPALIER_MODEL');
  });
});

describe('feeds that change while they are read', () => {
  it('are an error or a run, never memory of others', async () => {
    const session = await InferenceSession.create(policyModel(), { threads: 1 });
    let reads = 0;
    const obs = {
      type: 'float32',
      dims: [1, 48],
      get data() {
        return new Float32Array(reads++ < 2 ? 48 : 4);
      },
    };
    await expectError(() => session.runSync({ obs: obs as unknown as Tensor }), 'ERR_ESPALIER_SHAPE', /./);
    reads = 0;
    await expectError(() => session.run({ obs: obs as unknown as Tensor }), 'ERR_ESPALIER_SHAPE', /./);
    session.release();
  });
});
