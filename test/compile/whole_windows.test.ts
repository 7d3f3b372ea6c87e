import { expect, test } from 'vitest';
import { Model } from '../operators/support.js';
import { stepsThatAgree } from './support.js';

/** A convolution of 9 channels, [2, 9, ...spatial], with 18 filters. */
async function stepsOf(spatial: number[], kernel: number[], attributes = {}): Promise<string[]> {
  const m = new Model(21, 3);
  const x = m.input('float32', [2, 9, ...spatial], () => m.random() * 2 - 1);
  const { group = 1 } = attributes as { group?: number };
  const w = m.constant('float32', [18, 9 / group, ...kernel], () => m.random() - 0.5);
  const y = m.node('Conv', [x, w, m.constant('float32', [18])], { kernel_shape: kernel, ...attributes });
  m.output(m.node('Relu', [y]));
  return stepsThatAgree(m);
}

test.each<[string, number[], number[], object]>([
  ['one pixel', [1, 1], [1, 1], {}],
  ['a plane', [3, 5], [3, 5], {}],
  ['a row', [7], [7], {}],
  ['a plane and padding behind it', [2, 2], [3, 3], { pads: [0, 0, 1, 1] }],
  ['a plane and padding before it', [2, 2], [3, 3], { pads: [1, 1, 0, 0] }],
  ['one pixel with steps', [1, 1], [1, 1], { strides: [2, 2], dilations: [3, 3] }],
])('a filter that sees %s once is a product', async (_, spatial, kernel, attributes) => {
  expect(await stepsOf(spatial, kernel, attributes)).toEqual(['matmul']);
});

test.each<[string, number[], number[], object]>([
  ['more than one window', [2, 2], [2, 2], { pads: [0, 0, 1, 1] }],
  ['several pixels', [2, 1], [1, 1], {}],
  ['every other pixel', [3, 3], [2, 2], { dilations: [2, 2] }],
  ['a part of the plane', [3, 3], [2, 2], { strides: [2, 2] }],
  ['groups', [1, 1], [1, 1], { group: 3 }],
])('%s: a convolution stays one', async (_, spatial, kernel, attributes) => {
  expect(await stepsOf(spatial, kernel, attributes)).not.toContain('matmul');
});
