import { describe, expect, it } from 'vitest';
import {
  specialize,
  type TensorData,
  transposedWindowOf,
  type Window,
  windowOf,
} from '../../src/graph/index.js';
import { type Attributes, buildGraph, floats, node, relativeError, runReference } from './support.js';

const fail = (reason: string) => new Error(reason);
const big = (values: readonly number[]) => values.map(BigInt);

/** The same operator with every rule replaced by the pads it resolves to. */
function explicit(attributes: Attributes, window: Window): Attributes {
  const { auto_pad, output_shape, ...rest } = attributes;
  return { ...rest, pads: big([...window.padsBegin, ...window.padsEnd]) };
}

async function expectSame(
  op: string,
  attributes: Attributes,
  x: TensorData,
  w: TensorData | undefined,
): Promise<void> {
  const spatial = x.dims.slice(2);
  const kernel = w?.dims.slice(2) ?? (attributes['kernel_shape'] as bigint[]).map(Number);
  const parts = (given: Attributes) => ({
    opset: 19,
    inputs: { x: ['float32', ...x.dims] as const },
    constants: w === undefined ? {} : { w },
    nodes: [node(op, w === undefined ? ['x'] : ['x', 'w'], ['y'], given)],
    outputs: { y: 'float32' as const },
  });
  const graph = buildGraph(parts(attributes));
  const [original] = graph.nodes;
  if (original === undefined) throw new Error('no node');
  const { y: expected } = await runReference(graph, { x });
  const resolve = op === 'ConvTranspose' ? transposedWindowOf : windowOf;
  const window = resolve(original, spatial, kernel, fail);
  expect(window.outputs).toEqual(expected?.dims.slice(2));
  expect(specialize(graph, new Map()).values.get('y')?.dims).toEqual(expected?.dims);
  const { y: actual } = await runReference(buildGraph(parts(explicit(attributes, window))), { x });
  expect(actual?.dims).toEqual(expected?.dims);
  expect(actual && expected && relativeError(actual, expected)).toBeLessThan(1e-6);
}

const autoPads = ['SAME_UPPER', 'SAME_LOWER', 'VALID'];
const shapes = [
  { size: [7, 8], kernel: [3, 2], strides: [1, 1], dilations: [1, 1] },
  { size: [7, 8], kernel: [4, 3], strides: [2, 3], dilations: [1, 1] },
  { size: [9, 12], kernel: [3, 4], strides: [1, 1], dilations: [2, 3] },
  { size: [11], kernel: [5], strides: [2], dilations: [1] },
  { size: [4, 5, 6], kernel: [2, 3, 2], strides: [2, 1, 2], dilations: [1, 1, 1] },
];

describe('window of a convolution', () => {
  // onnxruntime does not run dilated kernels with SAME padding.
  const cases = autoPads
    .flatMap((pad) => shapes.map((shape) => ({ pad, ...shape })))
    .filter(({ pad, dilations }) => pad === 'VALID' || dilations.every((dilation) => dilation === 1));
  it.each(cases)(
    '$pad of $size by $kernel, strides $strides, dilations $dilations, is what onnxruntime does',
    async ({ pad, size, kernel, strides, dilations }) => {
      const attributes = { auto_pad: pad, strides: big(strides), dilations: big(dilations), group: 2n };
      await expectSame('Conv', attributes, floats([2, 4, ...size]), floats([6, 2, ...kernel], undefined, 2));
      if (dilations.every((dilation) => dilation === 1)) {
        const pool = { auto_pad: pad, strides: big(strides), kernel_shape: big(kernel) };
        await expectSame('MaxPool', pool, floats([2, 4, ...size]), undefined);
        await expectSame('AveragePool', pool, floats([2, 4, ...size]), undefined);
      }
    },
  );

  it.each([
    { size: 10, kernel: 3, stride: 2, pads: [0, 0] },
    { size: 10, kernel: 2, stride: 3, pads: [1, 1] },
    { size: 7, kernel: 1, stride: 4, pads: [0, 0] },
    { size: 6, kernel: 2, stride: 5, pads: [1, 1] },
  ])('rounds up with ceil_mode: $size by $kernel, stride $stride', async ({ size, kernel, stride, pads }) => {
    const parts = {
      opset: 19,
      inputs: { x: ['float32', 1, 2, size] as const },
      nodes: [
        node('MaxPool', ['x'], ['y'], {
          ceil_mode: 1n,
          kernel_shape: [BigInt(kernel)],
          strides: [BigInt(stride)],
          pads: big(pads),
        }),
      ],
      outputs: { y: 'float32' as const },
    };
    const graph = buildGraph(parts);
    const { y } = await runReference(graph, { x: floats([1, 2, size]) });
    expect(specialize(graph, new Map()).values.get('y')?.dims).toEqual(y?.dims);
  });
});

describe('window of a transposed convolution', () => {
  const x = floats([1, 4, 5, 6]);
  const w = floats([4, 3, 3, 4], undefined, 2);
  it.each<[string, Attributes]>([
    ['strides', { strides: [2n, 3n] }],
    ['pads', { strides: [2n, 3n], pads: [1n, 2n, 0n, 1n], output_padding: [1n, 2n] }],
    ['VALID', { strides: [2n, 2n], auto_pad: 'VALID' }],
    ['SAME_UPPER', { strides: [2n, 2n], auto_pad: 'SAME_UPPER' }],
    ['SAME_LOWER', { strides: [2n, 2n], auto_pad: 'SAME_LOWER' }],
    ['output_shape', { strides: [2n, 2n], output_shape: [10n, 11n] }],
    ['output_shape and SAME_UPPER', { strides: [2n, 2n], output_shape: [10n, 11n], auto_pad: 'SAME_UPPER' }],
    ['output_shape and SAME_LOWER', { strides: [2n, 2n], output_shape: [10n, 11n], auto_pad: 'SAME_LOWER' }],
    ['dilations and groups', { strides: [1n, 2n], dilations: [2n, 1n], group: 2n }],
  ])('with %s is what onnxruntime does', (_, attributes) => expectSame('ConvTranspose', attributes, x, w));
});
