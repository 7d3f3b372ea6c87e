import { describe, expect, test } from 'vitest';
import { Model } from '../operators/support.js';
import { stepsThatAgree } from './support.js';

const channels = 6;

/** A convolution of [1, 6, 5, 5], or of [1, 6, 5]. */
function conv(m: Model, { axes = 2, bias = true, group = 1 } = {}): string {
  const spatial = new Array<number>(axes).fill(5);
  const x = m.input('float32', [1, 6, ...spatial]);
  const w = m.constant('float32', [channels, 6 / group, ...spatial.map(() => 1)]);
  return m.node('Conv', bias ? [x, w, m.constant('float32', [channels])] : [x, w], { group });
}

function batchNorm(m: Model, x: string): string {
  const parameters = [undefined, undefined, undefined, () => 0.1 + m.random()];
  return m.node('BatchNormalization', [
    x,
    ...parameters.map((fill) => m.constant('float32', [channels], fill)),
  ]);
}

const one = (name: string, build: (m: Model) => unknown, steps: readonly string[]) =>
  test(name, async () => {
    const m = new Model();
    build(m);
    expect(await stepsThatAgree(m)).toEqual(steps);
  });

describe('folded into the convolution', () => {
  for (const bias of [true, false]) {
    for (const group of [1, 3, 6]) {
      const step = group === 6 ? 'depthwise_conv2d' : 'conv2d';
      one(
        `BatchNormalization, ${group} groups, bias ${bias}`,
        (m) => m.output(batchNorm(m, conv(m, { bias, group }))),
        [step],
      );
    }
  }
  for (const op of ['Add', 'Sub', 'Mul', 'Div']) {
    for (const dims of [[], [1], [1, 1, 1], [channels, 1, 1], [1, channels, 1, 1]]) {
      one(
        `${op} of a constant [${dims}]`,
        (m) => m.output(m.node(op, [conv(m), m.constant('float32', dims)])),
        ['conv2d'],
      );
    }
    for (const dims of [
      [channels, 1],
      [1, channels, 1],
    ]) {
      one(
        `${op} of a constant [${dims}] over one axis`,
        (m) => m.output(m.node(op, [conv(m, { axes: 1 }), m.constant('float32', dims)])),
        ['conv2d'],
      );
    }
  }
  for (const op of ['Add', 'Sub', 'Mul']) {
    one(
      `a constant on the left of ${op}`,
      (m) => m.output(m.node(op, [m.constant('float32', [channels, 1, 1]), conv(m)])),
      ['conv2d'],
    );
  }
  one(
    'a chain of them, then an activation',
    (m) => {
      const scaled = m.node('Mul', [batchNorm(m, conv(m)), m.constant('float32', [channels, 1, 1])]);
      m.output(m.node('Relu', [m.node('Add', [scaled, m.constant('float32', [1, channels, 1, 1])])]));
    },
    ['conv2d'],
  );
  one(
    'a weight that two convolutions share',
    (m) => {
      const w = m.constant('float32', [channels, 6, 1, 1]);
      const branch = () => m.node('Conv', [m.input('float32', [1, 6, 5, 5]), w]);
      m.output(batchNorm(m, branch()), branch(), m.node('Mul', [branch(), m.scalar(2)]));
    },
    ['conv2d', 'conv2d', 'conv2d'],
  );
});

describe('not folded', () => {
  one(
    'a convolution that is an output too',
    (m) => {
      const y = conv(m);
      m.output(y, batchNorm(m, y));
    },
    ['conv2d', 'depthwise_conv2d'],
  );
  one(
    'a convolution that is read twice',
    (m) => {
      const y = conv(m);
      m.output(m.node('Mul', [y, m.constant('float32', [channels, 1, 1])]), m.node('Neg', [y]));
    },
    ['conv2d', 'binary', 'unary'],
  );
  one('a run-time factor', (m) => m.output(m.node('Mul', [conv(m), m.input('float32', [channels, 1, 1])])), [
    'conv2d',
    'binary',
  ]);
  one(
    'a run-time bias',
    (m) => {
      const w = m.constant('float32', [channels, 6, 1, 1]);
      const y = m.node('Conv', [m.input('float32', [1, 6, 5, 5]), w, m.input('float32', [channels])]);
      m.output(m.node('Mul', [y, m.constant('float32', [channels, 1, 1])]));
    },
    ['conv2d', 'binary'],
  );
  for (const dims of [
    [5],
    [5, 1],
    [5, 5],
    [1, 5, 5],
    [1, 1, 5, 1],
    [2, 1, 1, 1],
    [channels, 5, 5],
    [1, channels, 1, 5],
  ]) {
    one(
      `a constant [${dims}] that is not one number for each channel`,
      (m) => m.output(m.node('Mul', [conv(m), m.constant('float32', dims)])),
      ['conv2d', 'binary'],
    );
  }
  one(
    'a constant that adds an axis',
    (m) => m.output(m.node('Mul', [conv(m, { axes: 1 }), m.constant('float32', [1, 1, channels, 1])])),
    ['conv2d', 'binary'],
  );
  one(
    'a constant divided by a convolution',
    (m) => m.output(m.node('Div', [m.constant('float32', [channels, 1, 1]), conv(m)])),
    ['conv2d', 'binary'],
  );
  one(
    'a division by zero',
    (m) => m.output(m.node('Div', [conv(m), m.constant('float32', [channels, 1, 1], () => 0)])),
    ['conv2d', 'binary'],
  );
});

test('a constant named like the folded weight keeps its own bytes', async () => {
  const m = new Model();
  const factor = m.constant('float32', [channels, 1, 1]);
  const product = m.node('Mul', [conv(m), factor]);
  m.output(product, m.node('Mul', [m.input('float32', [channels, 1, 1]), factor]));
  const graph = m.graph();
  const names = [`${product}/weight`, `espalier/${product}/weight`];
  for (const taken of names) {
    const rename = (name: string) => (name === factor ? taken : name);
    const renamed = {
      ...graph,
      nodes: graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(rename) })),
      constants: new Map([...graph.constants].map(([name, data]) => [rename(name), data])),
    };
    const model = { graph: () => renamed, feeds: m.feeds } as unknown as Model;
    expect(await stepsThatAgree(model)).toEqual(['conv2d', 'binary']);
  }
});
